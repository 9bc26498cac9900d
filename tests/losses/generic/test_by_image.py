"""A loss called again for every image, on heads with known losses."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from torch import Tensor, nn

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses.capture.captured import CapturedLosses
from ies_mm.losses.capture.registry import Wanted
from ies_mm.losses.capture.terms import scalar, terms_of
from ies_mm.losses.generic.by_image import asked_by_image
from ies_mm.losses.mmdet.dense_heads import slices_of

COUNTS = (1, 4, 0)
"""Part of the divisor of every image of the batch."""


class Head(nn.Module):
    """Masked squares over a count, like a detector's head.

    The mask is random; a buffer and a list remember the calls.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer('calls', torch.zeros(1))
        self.seen: list[int] = []
        self.bias = nn.Parameter(torch.tensor(2.0))
        self.drawn = torch.zeros(0)

    def loss_by_feat(
        self, scores: list[Tensor], batch_img_metas: list[dict]
    ) -> dict[str, Any]:
        self.calls += len(batch_img_metas)
        self.seen.append(len(batch_img_metas))
        self.drawn = torch.rand(len(batch_img_metas), 3)
        count = max(sum(meta['count'] for meta in batch_img_metas), 1)
        total = sum(
            ((level * (self.drawn > 0.3)) ** 2).sum() for level in scores
        )
        return {
            'loss_squares': [total / count, total * 0 + self.calls.sum()],
            'loss_bias': self.bias.square(),
            'acc': torch.ones(()),
        }


@pytest.fixture
def head() -> Head:
    return Head()


@pytest.fixture
def scores() -> list[Tensor]:
    torch.manual_seed(3)
    return [torch.randn(3, 3, requires_grad=True) for _ in range(2)]


def metas() -> list[dict]:
    return [dict(count=count) for count in COUNTS]


def captured(
    head: Head, scores: list[Tensor], shares: bool = True, kept: str = ''
) -> tuple[CapturedLosses, dict]:
    captured = CapturedLosses()

    slices = slices_of(head.loss_by_feat)
    with asked_by_image(
        head,
        'loss_by_feat',
        slices,
        terms_of,
        Wanted(shares=shares),
        captured.note,
        kept,
    ):
        torch.manual_seed(7)
        losses = head.loss_by_feat(scores, batch_img_metas=metas())
    return captured, losses


def squares(scores: list[Tensor], drawn: Tensor) -> Tensor:
    """Each image's part of the sum, (N,)."""
    kept = [(level.detach() * (drawn > 0.3)) ** 2 for level in scores]
    return torch.stack(kept).sum(dim=(0, 2))


def test_losses_are_divided_by_the_images_own_counts(
    head: Head, scores: list[Tensor]
) -> None:
    got, _ = captured(head, scores, shares=False)
    own = torch.tensor(COUNTS).clamp(min=1)
    # The call starts from 0 calls, so a single image counts 1.
    expected = squares(scores, head.drawn) / own + 1
    torch.testing.assert_close(got.losses['loss_squares'], expected)
    assert got.losses['loss_bias'].tolist() == [4, 4, 4]
    assert 'acc' not in got.losses
    assert not got.losses['loss_squares'].requires_grad
    assert got.shares == {}


def test_shares_are_the_parts_of_the_batch_loss() -> None:
    torch.manual_seed(3)
    scores = [torch.randn(3, 3, requires_grad=True)]
    head = Head()
    head.loss_by_feat = lambda scores, batch_img_metas: {  # type: ignore
        'loss': (scores[0] ** 2).sum()
        / sum(m['count'] + 1 for m in batch_img_metas)
    }
    got, _ = captured(head, scores)
    expected = (scores[0] ** 2).sum(dim=1) / (sum(COUNTS) + 3)
    torch.testing.assert_close(got.shares['loss'], expected)
    (ours,) = torch.autograd.grad(got.shares['loss'][1], scores)
    (theirs,) = torch.autograd.grad(expected[1], scores)
    torch.testing.assert_close(ours, theirs)


def test_a_term_without_gradient_by_outputs_is_parted_by_its_losses(
    head: Head, scores: list[Tensor]
) -> None:
    got, _ = captured(head, scores)
    share = got.shares['loss_bias']
    torch.testing.assert_close(share, torch.full((3,), 4 / 3))
    share.sum().backward()
    # 2 * bias * d bias: the whole gradient is in the sum.
    assert head.bias.grad == pytest.approx(4.0)


def test_the_loss_the_draws_and_the_state_are_the_plain_ones(
    head: Head, scores: list[Tensor]
) -> None:
    torch.manual_seed(7)
    twin = Head()
    plain = twin.loss_by_feat(scores, batch_img_metas=metas())
    after = torch.get_rng_state()
    _, losses = captured(head, scores)
    assert torch.equal(torch.get_rng_state(), after)
    assert torch.equal(scalar(losses['loss_squares']),
                       scalar(plain['loss_squares']))  # fmt: skip
    assert head.calls.tolist() == [3]
    assert head.seen == [3]
    assert torch.equal(head.drawn, twin.drawn)


def test_a_kept_method_gives_an_image_what_it_gave_the_batch(
    head: Head, scores: list[Tensor]
) -> None:
    """Called twice, as in DDOD, which counts at every call."""
    head.count = lambda: head.seen.append(9) or len(head.seen)  # type: ignore

    def counts(scores: Any, batch_img_metas: list) -> dict:
        factor = head.count() * 10 + head.count()
        return {'loss': scores[0].sum() * factor}

    head.loss_by_feat = counts  # type: ignore[method-assign]
    got, losses = captured(head, scores, kept='count')
    assert head.seen == [9, 9]
    torch.testing.assert_close(losses['loss'], scores[0].sum() * 12)
    expected = scores[0].detach().sum(dim=1) * 12
    torch.testing.assert_close(got.losses['loss'], expected)


def test_a_failing_image_leaves_nothing_behind(
    head: Head, scores: list[Tensor]
) -> None:
    original = head.loss_by_feat

    def fails_alone(scores: Any, batch_img_metas: list) -> dict:
        if len(batch_img_metas) == 1:
            raise RuntimeError('alone')
        return original(scores, batch_img_metas)

    head.loss_by_feat = fails_alone  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match='alone'):
        captured(head, scores)
    assert head.loss_by_feat is fails_alone
    assert head.calls.tolist() == [3]


def test_outputs_that_are_not_by_image_are_refused(head: Head) -> None:
    with pytest.raises(UnsupportedModelError, match='expected 3 images'):
        captured(head, [torch.zeros(5, 3)])


def test_a_draw_that_the_batch_did_not_make_is_refused(
    head: Head, scores: list[Tensor]
) -> None:
    original = head.loss_by_feat

    def more_alone(scores: Any, batch_img_metas: list) -> dict:
        if len(batch_img_metas) == 1:
            torch.rand(2, 2)
        return original(scores, batch_img_metas)

    head.loss_by_feat = more_alone  # type: ignore[method-assign]
    with pytest.raises(UnsupportedModelError, match='other random numbers'):
        captured(head, scores)


BATCHES: dict[str, tuple[str, Any]] = {
    'tensor': ('kept', torch.ones(3)),
    'levels': ('kept', [torch.ones(3, 2), torch.ones(3, 4)]),
    'samples': ('kept', [DetDataSample()]),
    'private': ('_kept', torch.ones(3)),
    'dict': ('kept', {'masks': torch.ones(3, 2)}),
    'array': ('kept', np.ones((3, 2))),
    'metas': ('kept', [dict(img_shape=(4, 4)) for _ in range(3)]),
}


@pytest.mark.parametrize('kind', BATCHES)
def test_a_head_that_keeps_the_batch_on_itself_is_refused(
    head: Head, scores: list[Tensor], kind: str
) -> None:
    name, kept = BATCHES[kind]
    original = head.loss_by_feat

    def loss(scores: Any, batch_img_metas: list) -> dict:
        """Like ``head.loss``, with the head's own forward first."""
        setattr(head, name, kept)
        return head.loss_by_feat(scores, batch_img_metas)

    slices = slices_of(original)
    with asked_by_image(
        head, 'loss_by_feat', slices, terms_of, Wanted(), lambda *_: None
    ):
        with pytest.raises(
            UnsupportedModelError, match=f"keeps '{name}' of all"
        ):
            loss(scores, metas())
        # With one image, the batch is the image.
        loss([level[:1] for level in scores], metas()[:1])


def test_constants_of_a_head_are_no_batch(
    head: Head, scores: list[Tensor]
) -> None:
    head.weights = torch.ones(3)
    head.points = [torch.ones(2, 2)] * 3
    captured(head, scores)


@pytest.fixture(autouse=True)
def same_random_state() -> Iterator[None]:
    state = torch.get_rng_state()
    yield
    torch.set_rng_state(state)


def own_generator(head: Head) -> Callable[[], Any]:
    head.rng = np.random.default_rng(0)
    return head.rng.random


def own_torch_generator(head: Head) -> Callable[[], Any]:
    head.rng = torch.Generator().manual_seed(0)
    return lambda: torch.rand(1, generator=head.rng)


@pytest.mark.parametrize(
    ('source', 'message'),
    [
        (lambda _: np.random.rand, 'from NumPy or Python'),
        (lambda _: random.random, 'from NumPy or Python'),
        (own_generator, r'generator of its own \(rng\)'),
        (own_torch_generator, r'generator of its own \(rng\)'),
    ],
)
def test_draws_that_cannot_be_handed_out_again_are_refused(
    head: Head, scores: list[Tensor], source: Callable, message: str
) -> None:
    draw, original = source(head), head.loss_by_feat

    def loss_by_feat(
        scores: list[Tensor], batch_img_metas: list[dict]
    ) -> dict[str, Any]:
        draw()
        return original(scores, batch_img_metas)

    head.loss_by_feat = loss_by_feat  # type: ignore[method-assign]
    with pytest.raises(UnsupportedModelError, match=message):
        captured(head, scores)
