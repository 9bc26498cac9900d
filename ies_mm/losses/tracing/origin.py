"""Which image of a batch each row of a tensor belongs to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Origin:
    """The images of R rows, in one of three forms.

    Attributes:
        images (int): N, the batch size.
        blocks (tuple of int): Rows per image of each block; a block is
            ordered by image. Heads that flatten level by level make one block
            per level.
        runs (tuple): Otherwise, consecutive runs (image, rows).
        index (Tensor, optional): Otherwise, int64 (R,), the image of every
            row.
        group (int): With an index, this many consecutive rows each belong to
            one image.
    """

    images: int
    blocks: tuple[int, ...] = ()
    runs: tuple[tuple[int, int], ...] = ()
    index: Tensor | None = None
    group: int = 1
    # Heads index several tensors with one mask and then combine the results,
    # which is traced only if their origins are equal: the same index.
    _taken: dict[int, tuple[Tensor, Origin]] = field(
        default_factory=dict, repr=False
    )

    @property
    def rows(self) -> int:
        """Number of rows R."""
        if self.index is not None:
            return len(self.index)
        runs = sum(length for _, length in self.runs)
        return runs + self.images * sum(self.blocks)

    def __eq__(self, other: object) -> bool:
        """Whether both are equal; an index is compared by identity."""
        # Comparing the values of an index would wait for the device.
        return isinstance(other, Origin) and (
            self.images == other.images
            and self.blocks == other.blocks
            and self.runs == other.runs
            and self.index is other.index
        )

    def __hash__(self) -> int:
        """Consistent with ``__eq__``."""
        return hash((self.images, self.blocks, self.runs, id(self.index)))

    def merged(self, inner: int) -> Origin:
        """Split every row into ``inner`` rows."""
        if self.index is not None:
            index = self.index[:, None].expand(-1, inner).reshape(-1)
            group = self.group * inner
            return Origin(self.images, index=index, group=group)
        return Origin(
            self.images,
            tuple(rows * inner for rows in self.blocks),
            tuple((image, rows * inner) for image, rows in self.runs),
        )

    def joined(self, inner: int) -> Origin | None:
        """Join every ``inner`` rows into one; None if images could mix."""
        if self.index is not None:
            # The values would tell, but reading them waits for the device.
            if self.group % inner:
                return None
            group = self.group // inner
            return Origin(self.images, index=self.index[::inner], group=group)
        lengths = [*self.blocks, *(rows for _, rows in self.runs)]
        if any(rows % inner for rows in lengths):
            return None
        return Origin(
            self.images,
            tuple(rows // inner for rows in self.blocks),
            tuple((image, rows // inner) for image, rows in self.runs),
        )

    def repeated(self, times: int) -> Origin:
        """Repeat all rows."""
        return self if times == 1 else concatenated([self] * times)

    def taken(self, rows: Tensor, count: int) -> Origin:
        """The origin of selected rows.

        Args:
            rows (Tensor): An index, int64, or a bool mask (R,). The result
                is cached per object.
            count (int): Number of rows selected.
        """
        if id(rows) not in self._taken:
            places = rows
            if rows.dtype in (torch.bool, torch.uint8):
                places = _places(rows, count)
            index = self.on(rows.device)[places]
            # Keep the rows, so that their id is not reused.
            self._taken[id(rows)] = rows, Origin(self.images, index=index)
        return self._taken[id(rows)][1]

    def image_of(self, row: int) -> int | None:
        """The image of one row; None if that needs a read from the index."""
        if self.index is not None:
            return None
        row %= self.rows
        for image, length in self._runs():
            if row < length:
                return image
            row -= length
        return None

    def on(self, device: torch.device) -> Tensor:
        """The image of every row, int64 (R,)."""
        if self.index is not None:
            return self.index
        if self.runs:
            flat = torch.tensor(
                [image for image, rows in self.runs for _ in range(rows)]
            )
            return flat.to(device, non_blocking=True)
        images = torch.arange(self.images, device=device)[:, None]
        parts = [images.expand(-1, k).reshape(-1) for k in self.blocks]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def sums(self, values: Tensor) -> Tensor:
        """Sum values by image, (R, ...) -> float32 (N,)."""
        # Not -1, which PyTorch refuses if there are no rows.
        flat = values.reshape(len(values), values[:1].numel() or 1)
        if self.index is not None or self.runs:
            return self._added(flat.sum(dim=1, dtype=torch.float32))
        # Plain sums, in a fixed order: index_add on a GPU has none.
        rows = [self.images * k for k in self.blocks]
        each = flat.shape[1]
        parts = [
            part.reshape(self.images, k * each).sum(1, dtype=torch.float32)
            for part, k in zip(flat.split(rows), self.blocks, strict=True)
        ]
        return parts[0] if len(parts) == 1 else torch.stack(parts).sum(0)

    def counts(self, device: torch.device) -> Tensor:
        """Number of rows of each image, float32 (N,)."""
        if self.blocks:
            rows = float(sum(self.blocks))
            return torch.full((self.images,), rows, device=device)
        return self._added(torch.ones(self.rows, device=device))

    def _added(self, values: Tensor) -> Tensor:
        zeros = values.new_zeros(self.images)
        return zeros.index_add(0, self.on(values.device), values)

    def _runs(self) -> Sequence[tuple[int, int]]:
        return self.runs or [
            (image, rows)
            for rows in self.blocks
            for image in range(self.images)
        ]


def _places(mask: Tensor, count: int) -> Tensor:
    """Indices of a mask's True entries, int64 (count,), without a sync."""
    set_so_far = mask.to(torch.int64).cumsum(0)
    nth = torch.arange(1, count + 1, device=mask.device)
    return torch.searchsorted(set_so_far, nth)


def concatenated(parts: Sequence[Origin]) -> Origin:
    """The origin of several tensors' concatenated rows."""
    images = parts[0].images
    if all(part.blocks for part in parts):
        return Origin(images, tuple(k for part in parts for k in part.blocks))
    if any(part.index is not None for part in parts):
        device = next(p.index.device for p in parts if p.index is not None)
        index = torch.cat([part.on(device) for part in parts])
        return Origin(images, index=index, group=_common_group(parts))
    return of_runs(images, [run for part in parts for run in part._runs()])


def _common_group(parts: Sequence[Origin]) -> int:
    """The largest group size into which the rows of all parts divide."""
    sizes: list[int] = []
    for part in parts:
        if part.index is not None:
            sizes.append(part.group)
        else:
            sizes += [*part.blocks, *(rows for _, rows in part.runs)]
    return math.gcd(*sizes) or 1


def of_runs(images: int, runs: Sequence[tuple[int, int]]) -> Origin:
    """The origin of runs; a block if all images have as many, in order."""
    in_order = [image for image, _ in runs] == list(range(images))
    if in_order and len({rows for _, rows in runs}) == 1 and runs[0][1]:
        return Origin(images, blocks=(runs[0][1],))
    return Origin(images, runs=tuple(runs))


def in_order(lengths: Sequence[int]) -> Origin:
    """The origin of rows ordered by image, with these numbers of each."""
    return of_runs(len(lengths), list(enumerate(lengths)))
