"""Which instance is this sample of?

An instance is one image of a leaf data set, counted once, whatever wrappers
repeat it. Instances are numbered leaf after leaf; a data set wrapper shows
them at *positions*, the indices that a sampler yields. Images of a leaf that
no position shows (``num_batch_per_epoch``) are no instances.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import Any

import torch
from mmengine.dataset import BaseDataset
from torch import Tensor

from ies_mm.errors import ConfigError
from ies_mm.report.names import in_part
from ies_mm.training.data.kept import Kept
from ies_mm.training.data.names import checksums_of, readable
from ies_mm.training.data.partners import carrying
from ies_mm.training.data.positions import check_leaf, check_length, parts_of
from ies_mm.training.data.preparation import NOT_SHOWN, tagged
from ies_mm.training.data.tagging import INSTEAD, instances_of


class InstanceMap:
    """Numbers the instances of a (wrapped) data set.

    Args:
        dataset (Dataset): A ``BaseDataset`` or nested wrappers of such, see
            :mod:`ies_mm.training.data.positions`.

    Raises:
        ConfigError: A data set that shows its images in a way that is not
            known.
    """

    def __init__(self, dataset: Any) -> None:
        self.leaves: list[BaseDataset] = []
        self._wrappers: list[tuple[Any, Tensor]] = []
        self._kept: Kept | None = None
        images = self._number(dataset)
        shown, self.of_position = torch.unique(images, return_inverse=True)
        self._instances = len(shown)
        numbers = torch.full((self._images(),), NOT_SHOWN)
        numbers[shown] = torch.arange(len(shown))
        self._numbers = numbers.split([len(leaf) for leaf in self.leaves])
        self._wrappers = [(w, numbers[beside]) for w, beside in self._wrappers]
        self._paths: list[str] | None = None
        self._empty = torch.zeros(0, dtype=torch.bool)
        self._known: set[str] = set()
        self._checksums: Tensor | None = None

    def __len__(self) -> int:
        """Number of instances N."""
        return self._instances

    def paths(self) -> list[str]:
        """The image path of every instance, in order of their numbers."""
        if self._paths is None:
            self._paths = self._read()
        return self._paths

    def without_objects(self) -> Tensor:
        """bool (N,), the images that are annotated with no object.

        Of data sets that list the ``instances`` of an image, as mmdet's do.
        """
        self.paths()
        return self._empty

    def classes(self) -> list[list[int]]:
        """The classes in every instance, as its leaf's ``get_cat_ids`` says.

        Raises:
            ConfigError: A leaf has no such method.
        """
        found = []
        for leaf, numbers in self.parts():
            if not hasattr(leaf, 'get_cat_ids'):
                raise ConfigError(
                    f'{type(leaf).__name__} has no get_cat_ids, which says '
                    'the classes in an image; leave by_class out, or take a '
                    'method that needs no classes'
                )
            found += [leaf.get_cat_ids(i) for i in _indices(numbers)]
        return found

    def names(self) -> list[str]:
        """What every instance is called in records and messages.

        Its path, and the number of its part where several show the file.
        """
        times = Counter(self.paths())
        part = [
            number
            for number, (_, numbers) in enumerate(self.parts(), start=1)
            for _ in _indices(numbers)
        ]
        return [
            in_part(path, number) if times[path] > 1 else path
            for path, number in zip(self.paths(), part, strict=True)
        ]

    def first_positions(self) -> Tensor:
        """int64 (N,), the first position that shows each instance."""
        shown = self.of_position
        first = torch.full((len(self),), len(shown))
        return first.scatter_reduce_(
            0, shown, torch.arange(len(shown)), reduce='amin'
        )

    def checksums(self) -> Tensor:
        """int64 (N,), what a run that goes on compares the images by.

        Of each image's path below the root of its data, of the number of its
        leaf and, where several leaves show the file, of what else tells them
        apart. The data may be moved.
        """
        if self._checksums is None:
            self._checksums = checksums_of(self._paths_by_leaf())
        return self._checksums

    def checksums_of_paths(self) -> Tensor:
        """int64 (N,), as version 0.1 had them: without what tells apart."""
        return checksums_of(self._paths_by_leaf(), tell_apart=False)

    def _paths_by_leaf(self) -> list[tuple[BaseDataset, list[str]]]:
        paths = iter(self.paths())
        return [
            (leaf, [*islice(paths, len(_indices(numbers)))])
            for leaf, numbers in self.parts()
        ]

    @contextmanager
    def tagging(self) -> Iterator[None]:
        """Have every item of the leaves carry the number of its instance.

        Open it before workers start: they hold copies of the data set.
        """
        self._kept = kept = Kept(len(self))
        with ExitStack() as stack:
            for leaf, numbers in self.parts():
                stack.enter_context(tagged(leaf, numbers, kept))
            for wrapper, beside in self._wrappers:
                stack.enter_context(carrying(wrapper.pipeline, kept, beside))
            yield

    def keep(self, active: Tensor) -> None:
        """Let no other images be mixed into a sample from now on.

        Args:
            active (Tensor): bool (N,).
        """
        if self._kept is not None:
            self._kept.set(active)

    def check_shown(
        self, data_batch: Any, ids: Tensor, asked_for: Tensor
    ) -> None:
        """Compare the images of a batch with those that were asked for.

        Args:
            data_batch (Any): As the data loader gave it.
            ids (Tensor): int64 (B,), its :func:`batch_instances`.
            asked_for (Tensor): bool (B,), whether the sampler asked for such
                an image. It need not have where a pipeline returned None.

        Raises:
            ConfigError: An image that was not asked for.
            ConfigError: A sample names another image's path.
        """
        samples = data_batch['data_samples']
        for place in torch.nonzero(~asked_for).flatten().tolist():
            if not getattr(samples[place], INSTEAD, False):
                path = readable(self.paths()[ids[place]])
                raise ConfigError(
                    f'the data loader gave {path}, which the sampler had not '
                    'asked for; let each position of the data set show one '
                    'image, always the same, and leave shuffling and '
                    'choosing to the sampler'
                )
        for sample, number in zip(samples, ids.tolist(), strict=True):
            self._check_path(sample, number)

    def _read(self) -> list[str]:
        """The paths; notes the images without objects on the way."""
        paths, empty = [], []
        for leaf, numbers in self.parts():
            for index in _indices(numbers):
                info = leaf.get_data_info(index)
                name = f'{type(leaf).__name__}[{index}]'
                paths.append(str(info.get('img_path', name)))
                empty.append(info.get('instances') == [])
        self._empty = torch.tensor(empty, dtype=torch.bool)
        return paths

    def _check_path(self, sample: Any, number: int) -> None:
        expected = self.paths()[number]
        path = str(getattr(sample, 'img_path', expected))
        if path != expected and self._is_known(path):
            raise ConfigError(
                f'the data set showed {readable(path)} in the place of '
                f'{readable(expected)}: get_data_info or a transform '
                'exchanges images; have each index show the same image always'
            )

    def _is_known(self, path: str) -> bool:
        self._known = self._known or set(self.paths())
        return path in self._known

    def parts(self) -> Iterator[tuple[BaseDataset, Tensor]]:
        """The leaves, and the number of each of their images."""
        return zip(self.leaves, self._numbers, strict=True)

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
        if 'pipeline' in vars(dataset):
            # A wrapper's transforms draw from the one data set it has.
            several = len(found) > 1
            self._wrappers.append((dataset, positions if several else beside))
        return positions

    def _number_leaf(self, leaf: BaseDataset) -> Tensor:
        check_leaf(leaf)
        known = [id(other) for other in self.leaves]
        if id(leaf) not in known:
            self.leaves.append(leaf)
            known.append(id(leaf))
        before = self._images(known.index(id(leaf)))
        return before + torch.arange(len(leaf))

    def _images(self, leaves: int | None = None) -> int:
        """Number of images of the first leaves, or of all."""
        return sum(len(leaf) for leaf in self.leaves[:leaves])


def batch_instances(data_batch: Any) -> Tensor:
    """The instance numbers of a batch as the data loader gave it.

    Returns:
        Tensor: int64 (B,).

    Raises:
        ConfigError: The samples carry no number.
    """
    is_dict = isinstance(data_batch, Mapping)
    return instances_of(data_batch.get('data_samples') if is_dict else None)


def _indices(numbers: Tensor) -> list[int]:
    return torch.nonzero(numbers != NOT_SHOWN).flatten().tolist()
