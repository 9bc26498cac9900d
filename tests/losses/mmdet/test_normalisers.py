"""Normalisers at their limits: counts of zero, losses without any."""

import torch
from mmdet.models.dense_heads import YOLOV3Head, YOLOXHead
from mmdet.models.losses import L1Loss
from torch import Tensor, nn

from ies_mm.losses.capture.calls import noted_calls
from ies_mm.losses.mmdet.dense_divisors import has_row_terms
from ies_mm.losses.rows.rows import EPS, row_losses
from ies_mm.losses.tracing.origin import in_order


class Boxes(nn.Module):
    """Computes the loss of three rows that belong to two images."""

    def __init__(self) -> None:
        super().__init__()
        self.loss_bbox = L1Loss()

    def forward(self, weight: Tensor, avg_factor: Tensor) -> Tensor:
        loss: Tensor = self.loss_bbox(
            torch.ones(3, 4, requires_grad=True),
            torch.zeros(3, 4),
            weight,
            avg_factor=avg_factor,
        )
        return loss


def test_a_batch_without_positives_has_shares_of_zero() -> None:
    """Sparse R-CNN divides by the number of positives as it is."""
    head = Boxes()
    with noted_calls(head) as noted:
        loss = head(torch.zeros(3, 4), torch.tensor(0.0))
    own = torch.full((2,), EPS)
    losses, shares = row_losses(noted, in_order([2, 1]).sums, own, True)
    assert shares is not None
    assert loss == 0
    assert losses.tolist() == shares.tolist() == [0, 0]


def test_shares_of_a_batch_with_positives_add_up() -> None:
    head = Boxes()
    with noted_calls(head) as noted:
        loss = head(torch.ones(3, 4), torch.tensor(2.0))
    own = torch.tensor([2.0, 1.0])
    losses, shares = row_losses(noted, in_order([2, 1]).sums, own, True)
    assert shares is not None
    assert loss == 6  # 12 coordinates, each 1 off
    torch.testing.assert_close(losses, torch.tensor([4.0, 4.0]))
    torch.testing.assert_close(shares, torch.tensor([4.0, 2.0]))


def test_only_sums_are_split_without_a_normaliser() -> None:
    """YOLOv3's head has means if its losses are not given."""
    small = dict(num_classes=2, in_channels=(8,), out_channels=(8,))
    head = YOLOV3Head(
        **small,
        anchor_generator=dict(
            type='YOLOAnchorGenerator',
            base_sizes=[[(10, 13)]],
            strides=[32],
        ),
        featmap_strides=[32],
    )
    assert head.loss_cls.reduction == 'mean'
    assert not has_row_terms(head)
    for name in ('loss_cls', 'loss_conf', 'loss_xy', 'loss_wh'):
        getattr(head, name).reduction = 'sum'
    assert has_row_terms(head)
    yolox = YOLOXHead(num_classes=2, in_channels=8, feat_channels=8)
    assert has_row_terms(yolox)
    yolox.loss_l1.reduction = 'mean'
    assert not has_row_terms(yolox)
