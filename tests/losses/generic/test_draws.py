"""A batch's random draws, replayed for its images."""

import pytest
import torch
from torch import Tensor

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses.generic.draws import draws_again, noted_draws


def test_rows_go_to_the_images_in_order() -> None:
    with noted_draws(None, 3) as draws:
        points = torch.rand(5, 2)
    got = []
    for image, rows in enumerate((2, 0, 3)):
        with draws_again(None, draws, image):
            got.append(torch.rand(rows, 2))
    assert torch.equal(torch.cat(got), points)


class Head:
    """Draws image by image, and then for all images."""

    def __init__(self) -> None:
        self.drawn: list[tuple[Tensor, Tensor]] = []

    def loss(self, images: list[int]) -> Tensor:
        for _layer in range(2):
            for image in images:
                self._get_targets_single(image)
        return torch.rand(len(images), 2)

    def _get_targets_single(self, image: int) -> None:
        self.drawn.append((torch.randperm(4), torch.rand(1, 3)))


def test_draws_for_an_image_go_to_it_in_every_layer() -> None:
    head = Head()
    with noted_draws(head, 2) as draws:
        points = head.loss([0, 1])
    made = head.drawn
    for image in (0, 1):
        head.drawn = []
        with draws_again(head, draws, image):
            assert torch.equal(head.loss([image])[0], points[image])
        for ours, theirs in zip(head.drawn, made[image::2], strict=True):
            assert torch.equal(ours[0], theirs[0])
            assert torch.equal(ours[1], theirs[1])


class GuidedHead:
    """As many draws for anchors as for their shapes, both image by image."""

    def loss(self, images: list[int]) -> list[Tensor]:
        shapes = [self._ga_shape_target_single() for _ in images]
        return [*shapes, *(self._get_targets_single() for _ in images)]

    def _ga_shape_target_single(self) -> Tensor:
        return torch.randperm(20)

    def _get_targets_single(self) -> Tensor:
        return torch.randperm(20)


def test_every_method_that_makes_targets_has_its_own_draws() -> None:
    head = GuidedHead()
    with noted_draws(head, 3) as draws:
        made = head.loss([0, 1, 2])
    for image in range(3):
        with draws_again(head, draws, image):
            alone = head.loss([image])
        assert torch.equal(torch.stack(alone), torch.stack(made[image::3]))


def test_a_permutation_is_not_cut() -> None:
    with noted_draws(None, 3) as draws:
        torch.randperm(4)
    with (
        draws_again(None, draws, 0),
        pytest.raises(UnsupportedModelError, match=r'randperm\(3,\)'),
    ):
        torch.randperm(3)


def test_an_image_that_draws_where_the_batch_did_not_is_refused() -> None:
    refused = pytest.raises(UnsupportedModelError, match='batch draws none')
    with refused, draws_again(None, [], 0):
        torch.rand(1)


def test_a_draw_by_another_function_is_refused() -> None:
    with noted_draws(None, 3) as draws:
        torch.rand(2, 2)
        torch.bernoulli(torch.full((2,), 0.5))
    refused = pytest.raises(UnsupportedModelError, match='not replayed')
    with refused, draws_again(None, draws, 0):
        torch.rand(1, 2)
        torch.bernoulli(torch.full((1,), 0.5))


def test_what_an_image_draws_leaves_the_random_state() -> None:
    with noted_draws(None, 3) as draws:
        torch.rand(2, 2)
    before = torch.get_rng_state()
    with draws_again(None, draws, 0):
        torch.rand(1, 2)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_batch_draws_what_it_would_have_drawn() -> None:
    torch.manual_seed(1)
    plain = torch.rand(3), torch.randint(9, (4,)), torch.rand(2)
    torch.manual_seed(1)
    with noted_draws(None, 3):
        noted = torch.rand(3), torch.randint(9, (4,))
    for ours, theirs in zip((*noted, torch.rand(2)), plain, strict=True):
        assert torch.equal(ours, theirs)


def test_what_is_written_into_a_draw_later_does_not_count() -> None:
    with noted_draws(None, 3) as draws:
        drawn = torch.rand(2)
        kept = drawn.clone()
        drawn.zero_()
    with draws_again(None, draws, 0):
        assert torch.equal(torch.rand(2), kept)


def test_two_draws_of_one_shape_are_two_draws() -> None:
    with noted_draws(None, 2) as draws:
        first, second = torch.rand(2, 3), torch.rand(2, 3)
    for image in (0, 1):
        with draws_again(None, draws, image):
            assert torch.equal(torch.rand(1, 3)[0], first[image])
            assert torch.equal(torch.rand(1, 3)[0], second[image])
