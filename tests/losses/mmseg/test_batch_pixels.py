"""Losses that select or weight pixels over the batch, by literal loops."""

import pytest
import torch
import torch.nn.functional as F
from mmseg.models.losses import BoundaryLoss, OhemCrossEntropy
from torch import Tensor, nn

from ies_mm.losses.capture.calls import noted_calls
from ies_mm.losses.mmseg.pixels import Parts, split
from loss_checks import close

CLASSES, IGNORED = 3, 255
# Selected by the threshold, by the minimum number, and all pixels.
OHEM = {
    'threshold': dict(thres=0.4, min_kept=1),
    'number': dict(thres=0.01, min_kept=30),
    'all': dict(thres=0.7, min_kept=100_000),
    'weights': dict(thres=0.4, min_kept=20, class_weight=[0.5, 2.0, 1.0]),
}


class Head(nn.Module):
    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss_decode = loss


def parts_of(loss: nn.Module, *args: Tensor) -> tuple[Parts, Tensor]:
    head = Head(loss)
    with noted_calls(head) as calls:
        value = head.loss_decode(*args)
    return split(calls[0], shares=True), value


@pytest.fixture
def logits() -> Tensor:
    torch.manual_seed(0)
    # The second image is predicted more confidently than the first.
    scale = torch.tensor([0.5, 2.0, 1.0]).reshape(3, 1, 1, 1)
    return (torch.randn(3, CLASSES, 6, 8) * scale).requires_grad_()


@pytest.fixture
def labels() -> Tensor:
    labels = torch.randint(0, CLASSES, (3, 6, 8))
    labels[0, :2] = IGNORED
    labels[2, :, :5] = IGNORED
    return labels


def check_shares(shares: Tensor, value: Tensor, logits: Tensor) -> None:
    """Shares sum to the loss and depend only on their own image."""
    close(shares.sum(), value)
    for image, share in enumerate(shares):
        (gradient,) = torch.autograd.grad(share, logits, retain_graph=True)
        others = [other for other in range(3) if other != image]
        assert (gradient[others] == 0).all()
    (ours,) = torch.autograd.grad(shares.sum(), logits, retain_graph=True)
    (theirs,) = torch.autograd.grad(value, logits)
    close(ours, theirs)


def literal_ohem(
    logits: Tensor, labels: Tensor, settings: dict
) -> tuple[list[float], float]:
    """The summed losses of selected pixels by image; their total number."""
    chances, losses, images = [], [], []
    weights = settings.get('class_weight') or [1.0] * CLASSES
    for image, row, column in (labels != IGNORED).nonzero().tolist():
        scores = logits[image, :, row, column].detach()
        label = labels[image, row, column]
        chances.append(scores.softmax(0)[label].item())
        loss = F.cross_entropy(scores[None], label[None]).item()
        losses.append(loss * weights[label])
        images.append(image)
    kept = sorted(chances)[min(settings['min_kept'], len(chances) - 1)]
    limit = max(kept, settings['thres'])
    sums, count = [0.0] * len(logits), 0
    for chance, loss, image in zip(chances, losses, images, strict=True):
        if chance < limit:
            sums[image] += loss
            count += 1
    return sums, count


@pytest.mark.parametrize('name', OHEM)
def test_hard_pixels_chosen_in_the_batch_are_the_shares(
    name: str, logits: Tensor, labels: Tensor
) -> None:
    loss = OhemCrossEntropy(loss_weight=0.5, **OHEM[name])
    parts, value = parts_of(loss, logits, labels)
    sums, count = literal_ohem(logits, labels, OHEM[name])
    assert min(sums) > 0
    close(parts.shares.detach(), 0.5 * torch.tensor(sums) / count)
    check_shares(parts.shares, value, logits)


@pytest.mark.parametrize('name', OHEM)
def test_hard_pixels_of_an_image_are_those_it_has_alone(
    name: str, logits: Tensor, labels: Tensor
) -> None:
    loss = OhemCrossEntropy(**OHEM[name])
    parts, _ = parts_of(loss, logits, labels)
    for image in range(3):
        own = slice(image, image + 1)
        sums, count = literal_ohem(logits[own], labels[own], OHEM[name])
        close(parts.losses[image], torch.tensor(sums[0] / count))


def test_hard_pixels_of_a_batch_without_a_valid_one(
    logits: Tensor, labels: Tensor
) -> None:
    parts, _ = parts_of(OhemCrossEntropy(), logits, labels.fill_(IGNORED))
    assert parts.void.all()
    assert (parts.shares == 0).all()


def test_edges_weigh_by_what_the_batch_has_of_them(logits: Tensor) -> None:
    edges = (torch.rand(3, 6, 8) > 0.7).long()
    edges[1] = 0
    edges[2, 0] = IGNORED
    scores = logits[:, :1]
    parts, value = parts_of(BoundaryLoss(loss_weight=3.0), scores, edges)
    check_shares(parts.shares, value, logits)
    assert not parts.void.any()

    def literal(
        edges: Tensor, scores: Tensor, batch: Tensor, count: Tensor
    ) -> float:
        part = (batch == 1).sum() / (batch <= 1).sum()
        weights = (edges == 1) * (1 - part) + (edges == 0) * part
        values = F.binary_cross_entropy_with_logits(
            scores, (edges == 1).float(), reduction='none'
        )
        return float((weights * values).sum() / count * 3.0)

    for image in range(3):
        one, own = edges[image], scores[image, 0].detach()
        every = torch.tensor(edges.numel())
        close(parts.shares[image].item(), literal(one, own, edges, every))
        # Padding counts in the divisor of the batch, but not of one image.
        known = (one <= 1).sum()
        close(parts.losses[image].item(), literal(one, own, one, known))
