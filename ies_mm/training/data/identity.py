"""Which instance does a sample show?

An instance is one image of a leaf dataset, counted once even if wrappers
repeat it. Instances are numbered leaf by leaf; a dataset wrapper shows them
at *positions*, the indices that a sampler yields. Images of a leaf that no
position shows (``num_batch_per_epoch``) are not instances.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from itertools import islice
from typing import Any

import torch
from mmengine.dataset import BaseDataset
from torch import Tensor

from ies_mm.errors import ConfigError
from ies_mm.report.names import in_part, of_copy
from ies_mm.training.data.mixable_images import Kept
from ies_mm.training.data.names import checksums_of
from ies_mm.training.data.partners import carrying
from ies_mm.training.data.positions import check_leaf, check_length, parts_of
from ies_mm.training.data.tagged_datasets import NOT_SHOWN, tagged


def check_has_classes(dataset: type) -> None:
    """Refuse a dataset whose images have no known classes.

    Args:
        dataset (type): Class of the dataset.

    Raises:
        ConfigError: It has no ``get_cat_ids``.
    """
    own = getattr(dataset, 'get_cat_ids', None)
    # MMEngine's raises NotImplementedError; mmseg's datasets inherit it.
    if own in (None, BaseDataset.get_cat_ids):
        raise ConfigError(
            f'{dataset.__name__} has no get_cat_ids, which lists the classes '
            'in an image; remove by_class, or use a method that needs no '
            'classes'
        )


class InstanceMap:
    """Numbers the instances of a (wrapped) dataset.

    Args:
        dataset (Dataset): A ``BaseDataset``, possibly in nested wrappers; see
            :mod:`ies_mm.training.data.positions`.

    Raises:
        ConfigError: It is not known which images a dataset shows where.
    """

    def __init__(self, dataset: Any) -> None:
        self.leaves: list[BaseDataset] = []
        self._wrappers: list[tuple[Any, Tensor]] = []
        self._kept: Kept | None = None
        images = self._number(dataset)
        # unique sorts, so instances are numbered in the order of the leaves.
        shown, self.of_position = torch.unique(images, return_inverse=True)
        self._instances = len(shown)
        numbers = torch.full((self._images(),), NOT_SHOWN)
        numbers[shown] = torch.arange(len(shown))
        self._numbers = numbers.split([len(leaf) for leaf in self.leaves])
        self._wrappers = [(w, numbers[beside]) for w, beside in self._wrappers]

    def __len__(self) -> int:
        """Number of instances N."""
        return self._instances

    def parts(self) -> Iterator[tuple[BaseDataset, Tensor]]:
        """The leaves, each with the instance numbers of its images."""
        return zip(self.leaves, self._numbers, strict=True)

    def paths(self) -> list[str]:
        """The image path of every instance, ordered by number."""
        return self._infos[0]

    def without_objects(self) -> Tensor:
        """bool (N,), the images annotated with no object.

        Only in datasets that list an image's ``instances``, as mmdet's do.
        """
        return self._infos[1]

    def classes(self) -> list[list[int]]:
        """The classes in every instance, from its leaf's ``get_cat_ids``.

        Raises:
            ConfigError: A leaf has no such method.
        """
        found = []
        for leaf, numbers in self.parts():
            check_has_classes(type(leaf))
            found += [leaf.get_cat_ids(i) for i in _indices(numbers)]
        return found

    def names(self) -> list[str]:
        """The name of every instance in records and messages.

        Its path, plus the number of its part if several parts show the file,
        and of its copy if one part lists it several times.
        """
        return self._names

    def knows(self, path: str) -> bool:
        """Whether it is the path of one of its images."""
        return path in self._known

    def first_positions(self) -> Tensor:
        """int64 (N,), the first position that shows each instance."""
        shown = self.of_position
        first = torch.full((len(self),), len(shown))
        return first.scatter_reduce_(
            0, shown, torch.arange(len(shown)), reduce='amin'
        )

    def checksums(self) -> Tensor:
        """int64 (N,), checksums by which a resumed run knows its images.

        They cover the image's path below its data root, the number of its
        leaf and, if several leaves show the file, what else distinguishes
        them. The data may be moved.
        """
        return self._checksums

    def checksums_of_paths(self) -> Tensor:
        """int64 (N,), checksums of version 0.1: only path and leaf number."""
        return checksums_of(self._paths_by_leaf(), tell_apart=False)

    @contextmanager
    def tagging(self) -> Iterator[None]:
        """Tag every item of the leaves with its instance number.

        Enter it before workers start: they hold copies of the dataset.
        """
        # Kept for a later training, too, with which persistent workers stay.
        self._kept = kept = self._kept or Kept(len(self))
        kept.set(torch.ones(len(self), dtype=torch.bool))
        with ExitStack() as stack:
            for leaf, numbers in self.parts():
                stack.enter_context(tagged(leaf, numbers, kept))
            for wrapper, beside in self._wrappers:
                stack.enter_context(carrying(wrapper.pipeline, kept, beside))
            yield

    def keep(self, active: Tensor) -> None:
        """Mix only these images into samples from now on.

        Args:
            active (Tensor): bool (N,).
        """
        if self._kept is not None:
            self._kept.set(active)

    @cached_property
    def _infos(self) -> tuple[list[str], Tensor]:
        """The path of every instance, and whether it has no objects."""
        paths, empty = [], []
        for leaf, numbers in self.parts():
            for index in _indices(numbers):
                info = leaf.get_data_info(index)
                name = f'{type(leaf).__name__}[{index}]'
                paths.append(str(info.get('img_path', name)))
                empty.append(info.get('instances') == [])
        return paths, torch.tensor(empty, dtype=torch.bool)

    @cached_property
    def _names(self) -> list[str]:
        part = [
            number
            for number, (_, numbers) in enumerate(self.parts(), start=1)
            for _ in _indices(numbers)
        ]
        pairs = [*zip(self.paths(), part, strict=True)]
        parts, copies = Counter(path for path, _ in {*pairs}), Counter[str]()
        names = []
        for path, number in pairs:
            name = in_part(path, number) if parts[path] > 1 else path
            copies[name] += 1
            names.append(of_copy(name, copies[name]))
        return names

    @cached_property
    def _known(self) -> set[str]:
        return set(self.paths())

    @cached_property
    def _checksums(self) -> Tensor:
        return checksums_of(self._paths_by_leaf())

    def _paths_by_leaf(self) -> list[tuple[BaseDataset, list[str]]]:
        paths = iter(self.paths())
        return [
            (leaf, [*islice(paths, len(_indices(numbers)))])
            for leaf, numbers in self.parts()
        ]

    def _number(self, dataset: Any) -> Tensor:
        """The image at every position, counted over all leaves."""
        if isinstance(dataset, BaseDataset):
            return self._number_leaf(dataset)
        found = []
        for part, indices in parts_of(dataset):
            numbers = beside = self._number(part)
            if indices is not None:
                numbers = numbers[torch.tensor(indices, dtype=torch.long)]
            found.append(numbers)
        positions = torch.cat(found)
        check_length(dataset, len(positions))
        # Not hasattr: MMEngine's _SlicedDataset passes on the attributes of
        # the dataset inside.
        if 'pipeline' in vars(dataset):
            # A wrapper's transforms draw from the dataset it wraps.
            several = len(found) > 1
            self._wrappers.append((dataset, positions if several else beside))
        return positions

    def _number_leaf(self, leaf: BaseDataset) -> Tensor:
        check_leaf(leaf)
        known = [id(other) for other in self.leaves]
        # A wrapper may show one dataset object several times; its images are
        # then the same instances.
        if id(leaf) not in known:
            self.leaves.append(leaf)
            known.append(id(leaf))
        before = self._images(known.index(id(leaf)))
        return before + torch.arange(len(leaf))

    def _images(self, leaves: int | None = None) -> int:
        """Number of images in the first leaves, or in all."""
        return sum(len(leaf) for leaf in self.leaves[:leaves])


def _indices(numbers: Tensor) -> list[int]:
    return torch.nonzero(numbers != NOT_SHOWN).flatten().tolist()
