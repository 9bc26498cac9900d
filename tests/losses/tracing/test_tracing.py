"""Rows are traced by applying torch's operations to image numbers."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses.capture.calls import LossCall
from ies_mm.losses.rows.row_calls import origin_of
from ies_mm.losses.tracing.follow import Traced, rows_of, traced
from ies_mm.losses.tracing.origin import Origin, concatenated
from ies_mm.losses.tracing.trace import Along, Owned

IMAGES = 3


def first(outputs: list[Tensor]) -> Tensor:
    """A level's map flattened to rows, image after image."""
    return outputs[0].permute(0, 2, 3, 1).reshape(-1, 4)


def levels_first(outputs: list[Tensor]) -> Tensor:
    return torch.cat([x.permute(0, 2, 3, 1).reshape(-1, 4) for x in outputs])


def images_first(outputs: list[Tensor]) -> Tensor:
    flat = [x.permute(0, 2, 3, 1).reshape(IMAGES, -1, 4) for x in outputs]
    return torch.cat(flat, dim=1)


def image_lists(outputs: list[Tensor]) -> Tensor:
    """Image by image, as mmdet's ``levels_to_images``."""
    maps = [x.permute(0, 2, 3, 1).reshape(IMAGES, -1, 4) for x in outputs]
    lists = [torch.cat([m[i] for m in maps]) for i in range(IMAGES)]
    return torch.cat(lists).view(-1, 4)


def uneven_lists(outputs: list[Tensor]) -> Tensor:
    rows = images_first(outputs)
    return torch.cat([row[: 2 + i] for i, row in enumerate(rows)])


def resized_masks(outputs: list[Tensor]) -> Tensor:
    """Masks in place of channels, as RTMDet-Ins resizes them."""
    masks = torch.cat([m[: 1 + i] for i, m in enumerate(outputs[0])])
    resized = F.interpolate(masks.float().unsqueeze(0), scale_factor=2)
    return resized.squeeze(0).flatten(1).long()


def nothing_of_the_second(outputs: list[Tensor]) -> Tensor:
    """Heads create an empty tensor for an image without objects."""
    parts = [m.flatten(1) for m in outputs[0]]
    parts[1] = torch.empty(0, parts[0].shape[1], dtype=parts[0].dtype)
    return torch.cat(parts)


INDEX = torch.tensor([0, 5, 40, 77, 100, 101, 119, 125])
MASK = torch.arange(156) % 7 == 0
FLATTENING: dict[str, Callable[[list[Tensor]], Tensor]] = {
    'one level': first,
    'levels first': levels_first,
    'images first': lambda x: images_first(x).view(-1, 4),
    'by lists': image_lists,
    'uneven lists': uneven_lists,
    'resized masks': resized_masks,
    'nothing of one image': nothing_of_the_second,
    'picked': lambda x: levels_first(x)[INDEX],
    'picked twice': lambda x: levels_first(x)[INDEX][INDEX[:2]],
    'masked': lambda x: images_first(x).view(-1, 4)[MASK],
    'masked in two axes': lambda x: images_first(x)[MASK.view(IMAGES, -1)],
    'picked with columns': lambda x: levels_first(x)[INDEX, INDEX % 4],
    'masked elements': lambda x: torch.masked_select(
        images_first(x), (torch.arange(624) % 5 == 0).view(IMAGES, -1, 4)
    ),
    'layers': lambda x: torch.stack([images_first(x)] * 2)[1].flatten(0, 1),
    'layers merged': lambda x: torch.stack([images_first(x)] * 2).flatten(
        0, 2
    ),
    'a column': lambda x: levels_first(x)[..., 2],
    'columns joined': lambda x: torch.stack(
        [levels_first(x)[:, 0], levels_first(x)[:, 1]], -1
    ),
    'squeezed': lambda x: levels_first(x)[:, :1].squeeze(1).unsqueeze(-1),
    'taken apart and joined': lambda x: first(x).reshape(-1, 2).reshape(-1, 4),
    'transposed': lambda x: (
        images_first(x).transpose(1, 2).reshape(IMAGES, -1)
    ),
    'spread': lambda x: first(x)[:, 0][:, None].expand(-1, 4).reshape(-1),
}


@pytest.mark.parametrize('name', FLATTENING)
def test_rows_are_those_of_a_tensor_of_image_numbers(name: str) -> None:
    numbers = [
        torch.arange(IMAGES).view(-1, 1, 1, 1).expand(-1, 4, *size).clone()
        for size in ((8, 5), (4, 3))
    ]
    outputs = [n.float() for n in numbers]
    expected = FLATTENING[name](numbers)
    with traced([(x, 0) for x in outputs], IMAGES):
        found = FLATTENING[name](outputs)
        origin = rows_of(found)
    assert origin is not None
    rows = expected.reshape(len(expected), -1)
    assert torch.equal(origin.on(rows.device)[:, None].expand_as(rows), rows)
    assert origin.rows == len(expected)


@pytest.mark.parametrize('name', FLATTENING)
def test_sums_and_counts_are_those_of_a_loop(name: str) -> None:
    draws = torch.Generator().manual_seed(0)
    outputs = [
        torch.rand(IMAGES, 4, *size, generator=draws)
        for size in ((8, 5), (4, 3))
    ]
    with traced([(x, 0) for x in outputs], IMAGES):
        found = FLATTENING[name](outputs)
        origin = rows_of(found)
    assert origin is not None
    values = found.as_subclass(Tensor)
    index = origin.on(values.device).tolist()
    for image in range(IMAGES):
        own = [row for row, i in zip(values, index, strict=True) if i == image]
        total = sum(float(row.double().sum()) for row in own)
        assert origin.sums(values)[image].item() == pytest.approx(total)
        assert origin.counts(values.device)[image] == len(own)


MATHS: dict[str, Callable[[Tensor], Tensor]] = {
    'arithmetic': lambda x: 2 * x.sigmoid().clamp(min=0.1) - x / 3 + 1,
    'own weights': lambda x: x * x[:, :1],
    'best class': lambda x: x.softmax(1).max(dim=1)[0],
    'integral': lambda x: F.linear(x.softmax(1), torch.ones(1, 4)),
    'norm of a row': lambda x: x.norm(2, 1),
    'best of a row': lambda x: x.topk(2, 1)[0],
    'detached': lambda x: x.detach().float().contiguous(),
}


@pytest.mark.parametrize('name', MATHS)
def test_arithmetic_keeps_the_rows(name: str) -> None:
    x = torch.rand(IMAGES, 5, 4)
    with traced([(x, 0)], IMAGES):
        rows = x.reshape(-1, 4)
        assert rows_of(MATHS[name](rows)) == rows_of(rows)


FORGOTTEN: dict[str, Callable[[Tensor], Tensor]] = {
    'norm of a column': lambda x: x.norm(1, 0),
    'best of a column': lambda x: x.topk(len(x), dim=0)[0],
    'sorted rows': lambda x: x.sort(dim=0)[0],
    'all summed up': lambda x: x.sum(),
    'a product of rows': lambda x: x @ x.t(),
    'rolled': lambda x: x.roll(1, 0),
    'half of the rows': lambda x: x[: len(x) // 2],
    'another order': lambda x: x + x.view(IMAGES, 5, 4).flip(0).view(-1, 4),
}


@pytest.mark.parametrize('name', FORGOTTEN)
def test_what_mixes_rows_or_has_no_rule_is_forgotten(name: str) -> None:
    x = torch.rand(IMAGES, 5, 4)
    with traced([(x, 0)], IMAGES):
        found = FORGOTTEN[name](x.reshape(-1, 4))
    assert rows_of(found) is None


def test_what_comes_of_one_image_is_that_image_s() -> None:
    """Whatever is done to it, until others are joined."""
    x = torch.rand(IMAGES, 5, 4)
    with traced([(x, 0)], IMAGES):
        own = (x[1] @ torch.rand(4, 2)).sort(dim=0)[0]
        assert isinstance(own, Traced)
        assert own.whose == Owned(1, IMAGES)
        mixed = own + x[2, :, :2]
    assert rows_of(mixed) is None


def test_nothing_is_changed_and_nothing_left() -> None:
    """Values, graph and class are as with plain tensors."""
    x = torch.rand(IMAGES, 4, 2, 2, requires_grad=True)
    doubled = x * 2
    with traced([(doubled, 0)], IMAGES):
        loss = first([doubled])[INDEX % 12].sigmoid().sum()
    (ours,) = torch.autograd.grad(loss, x)
    (theirs,) = torch.autograd.grad(
        first([x * 2])[INDEX % 12].sigmoid().sum(), x
    )
    assert torch.equal(ours, theirs)
    assert type(doubled) is type(loss) is Tensor
    assert not vars(doubled)


def test_tensors_are_plain_again_after_an_exception() -> None:
    x = torch.rand(IMAGES, 2)

    def fail() -> None:
        raise RuntimeError('inside')

    with pytest.raises(RuntimeError, match='inside'), traced([(x, 0)], IMAGES):
        fail()
    assert type(x) is Tensor


def test_a_mask_is_looked_up_without_reading_it() -> None:
    """It has as many rows as the head has already selected, so no sync."""
    mask = torch.tensor([True, False, True, True, False, False])
    origin = Origin(2, blocks=(3,)).taken(mask, 3)
    assert origin.index is not None
    assert origin.index.tolist() == [0, 0, 1]


def test_blocks_runs_and_rows_are_put_together() -> None:
    parts = [
        Origin(2, blocks=(1, 2)),
        Origin(2, runs=((1, 2), (0, 1))),
        Origin(2, index=torch.tensor([1, 0])),
    ]
    joined = concatenated(parts)
    assert joined.on(torch.device('cpu')).tolist() == [
        *(0, 1, 0, 0, 1, 1),
        *(1, 1, 0),
        *(1, 0),
    ]
    assert Along(parts[0], 0) == Along(Origin(2, blocks=(1, 2)), 0)


def test_rows_at_an_index_are_joined_only_within_an_image() -> None:
    """Selected rows may be of any image; only split ones are of the same."""
    selected = Origin(2, index=torch.tensor([0, 1, 1]))
    assert selected.joined(3) is None
    split = selected.merged(4)
    for part in (split, concatenated([split, Origin(2, blocks=(2,))])):
        joined = part.joined(2)
        assert joined is not None
        assert joined.index is not None
        assert joined.index.tolist()[:6] == [0, 0, 1, 1, 1, 1]
        assert part.joined(8) is None


def test_a_loss_whose_rows_are_unknown_is_refused_by_name() -> None:
    call = LossCall('loss_odd', torch.nn.L1Loss(), (), {}, torch.zeros(()))
    with pytest.raises(UnsupportedModelError, match='a row of loss_odd'):
        origin_of(call)
