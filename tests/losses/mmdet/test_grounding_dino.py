"""Grounding DINO: class scores are over words; texts differ in length."""

from typing import Any

import pytest
import torch
from mmdet.models.dense_heads import GroundingDINOHead
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor, nn

from ies_mm.losses import CapturedLosses, capture_per_image_losses
from loss_checks import close

LENGTHS = (8, 4, 6, 5)
OBJECTS = (1, 3, 0, 2)
WORDS, QUERIES, WIDTH = 10, 12, 16
NOISE = 6


class Detector(nn.Module):
    """Only the head, on synthetic features of images and texts."""

    def __init__(self) -> None:
        super().__init__()
        costs = [
            dict(type='BinaryFocalLossCost', weight=2.0),
            dict(type='BBoxL1Cost', weight=5.0, box_format='xywh'),
        ]
        self.bbox_head = GroundingDINOHead(
            num_classes=WORDS,
            embed_dims=WIDTH,
            num_pred_layer=2,
            contrastive_cfg=dict(max_text_len=WORDS, bias=True),
            sync_cls_avg_factor=True,
            share_pred_layer=False,
            loss_cls=dict(type='FocalLoss', use_sigmoid=True),
            loss_bbox=dict(type='L1Loss', loss_weight=5.0),
            loss_iou=dict(type='GIoULoss', loss_weight=2.0),
            train_cfg=dict(
                assigner=dict(type='HungarianAssigner', match_costs=costs)
            ),
        )

    def loss(self, images: list[int]) -> dict[str, Tensor]:
        """The loss of some of the images."""
        draws = torch.Generator().manual_seed(0)
        hidden = torch.randn(2, 4, QUERIES, WIDTH, generator=draws)
        points = torch.rand(4, QUERIES, 4, generator=draws) * 0.5 + 0.2
        texts = torch.randn(4, max(LENGTHS), WIDTH, generator=draws)
        samples = [sample(i, draws) for i in range(4)]
        masks = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
        found: dict[str, Tensor] = self.bbox_head.loss(
            hidden[:, images],
            [points[images]] * 2,
            texts[images],
            masks[images],
            None,
            None,
            [samples[i] for i in images],
            dict(num_denoising_queries=NOISE, num_denoising_groups=1),
        )
        return found


def sample(image: int, draws: torch.Generator) -> DetDataSample:
    count = OBJECTS[image]
    corner = torch.rand(count, 2, generator=draws) * 60
    words = (torch.arange(WORDS) < LENGTHS[image])[None]
    made = DetDataSample(
        metainfo=dict(img_shape=(96, 128), batch_input_shape=(96, 128))
    )
    made.gt_instances = InstanceData(
        bboxes=torch.cat([corner, corner + 20], 1),
        labels=torch.arange(count),
        positive_maps=torch.eye(count, WORDS),
        text_token_mask=words.repeat(count, 1),
    )
    return made


@pytest.fixture(scope='module')
def model() -> Detector:
    torch.manual_seed(0)
    return Detector().train()


def captured(model: Detector, **kwargs: Any) -> CapturedLosses:
    with capture_per_image_losses(model, **kwargs) as found:
        model.loss([0, 1, 2, 3])
    return found


def test_losses_are_those_of_each_image_alone(model: Detector) -> None:
    found = captured(model)
    assert len(found.losses) == 12
    for image in range(4):
        for term, value in model.loss([image]).items():
            close(found.losses[term][image], value.detach().squeeze())


def test_shares_add_up_to_the_loss_and_so_do_their_gradients(
    model: Detector,
) -> None:
    plain = model.loss([0, 1, 2, 3])
    found = captured(model, shares=True)
    for term, value in plain.items():
        close(found.shares[term].sum(), value.squeeze())
    parameters = [p for p in model.parameters() if p.requires_grad]
    shares = torch.stack([s.sum() for s in found.shares.values()]).sum()
    ours = torch.autograd.grad(shares, parameters, allow_unused=True)
    theirs = torch.autograd.grad(
        sum(v.sum() for v in plain.values()), parameters, allow_unused=True
    )
    for one, other in zip(ours, theirs, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            assert (one - other).norm() <= 1e-5 * other.norm() + 1e-7
