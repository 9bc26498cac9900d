"""Losses that select or weight pixels, on extreme images."""

import torch
import torch.nn.functional as F
from mmseg.models.losses import BoundaryLoss, OhemCrossEntropy
from torch import Tensor, nn

from ies_mm.losses.capture.calls import LossCall, noted_calls
from ies_mm.losses.mmseg.pixels import Parts, split
from loss_checks import close
from small_seg import CLASSES, IGNORED

SIZE = (6, 8)


class OneLoss(nn.Module):
    """A head with nothing but a loss."""

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss_decode = loss

    def forward(self, *args: Tensor) -> LossCall:
        with noted_calls(self) as calls:
            self.loss_decode(*args)
        return calls[0]


def parts_of(loss: nn.Module, outputs: Tensor, labels: Tensor) -> Parts:
    call = OneLoss(loss)(outputs, labels)
    parts = split(call, shares=True)
    close(parts.shares.sum(), call.output)
    return parts


def scores(images: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(images, CLASSES, *SIZE, generator=generator)
    labels = torch.randint(CLASSES, (images, *SIZE), generator=generator)
    return logits, labels


def certain_of(labels: Tensor) -> Tensor:
    return 200.0 * F.one_hot(labels, CLASSES).permute(2, 0, 1)


def test_an_image_without_a_hard_pixel_has_a_loss_of_zero() -> None:
    """mmseg would average nothing, but only if the image is alone."""
    logits, labels = scores(4)
    logits[1] = certain_of(labels[1])
    # A single valid pixel is never below the threshold that it sets.
    labels[2] = IGNORED
    labels[2, 3, 4] = 2
    logits[2, 2, 3, 4] = 50.0
    parts = parts_of(OhemCrossEntropy(thres=0.9), logits, labels)
    assert parts.losses[1:3].tolist() == [0, 0]
    assert not parts.void.any()
    for image in (0, 3):
        own = F.cross_entropy(logits[image][None], labels[image][None])
        close(parts.losses[image], own)


def test_a_loss_that_is_broken_is_not_taken_for_an_easy_one() -> None:
    logits, labels = scores(2)
    logits[1, 0, 0, 0] = torch.nan
    call = OneLoss(OhemCrossEntropy(thres=0.9))(logits, labels)
    losses = split(call, shares=False).losses
    assert losses.isnan().tolist() == [False, True]


def literal_boundary(logits: Tensor, edges: Tensor) -> Tensor:
    """One image without padding; each kind is weighted by the other share."""
    part = (edges == 1).float().mean()
    weights = torch.where(edges == 1, 1 - part, part)
    values = F.binary_cross_entropy_with_logits(
        logits, edges.float(), reduction='none'
    )
    return (weights * values).mean()


def test_padded_pixels_are_no_part_of_an_images_edges() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 1, *SIZE, generator=generator)
    edges = (torch.rand(3, *SIZE, generator=generator) > 0.7).long()
    edges[1, 4:] = edges[1, :, 3:] = IGNORED
    edges[2] = 0
    parts = parts_of(BoundaryLoss(loss_weight=5.0), logits, edges)
    close(parts.losses[0], 5 * literal_boundary(logits[0, 0], edges[0]))
    own = literal_boundary(logits[1, 0, :4, :3], edges[1, :4, :3])
    close(parts.losses[1], 5 * own)
    assert parts.losses[2] == 0  # no edge: every other pixel has weight zero
