"""Tags a dataset's samples with the numbers of the images they show."""

import copy
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

import torch
from mmengine.dataset import BaseDataset
from torch import Tensor

from ies_mm.losses.capture.patching import override
from ies_mm.training.data.mixable_images import AnotherKept, Kept
from ies_mm.training.data.mixing_transforms import pipeline_mixes
from ies_mm.training.data.partners import carrying
from ies_mm.training.data.pipeline_failures import giving_up
from ies_mm.training.data.tagging import INSTEAD, tag

NOT_SHOWN = -1
"""Number of an image that no position shows."""

WHY_UNKNOWN = (
    'an image came in place of another one, and is none of those that the '
    'dataset shows at its positions; remove '
    'train_dataloader.num_batch_per_epoch'
)
"""Why the number of such an image is not known, in a sample of it."""


@contextmanager
def tagged(leaf: BaseDataset, numbers: Tensor, kept: Kept) -> Iterator[None]:
    """Tag the items of a dataset with their instance numbers.

    Wraps ``prepare_data``, which receives the index of the image actually
    loaded, even if a pipeline returned None and another image was fetched
    instead. Enter it before workers start: they hold copies of the dataset.

    Args:
        leaf (BaseDataset): The dataset.
        numbers (Tensor): int64 (len(leaf),), its instance numbers.
        kept (Kept): The images that may be mixed into other samples.
    """
    own = vars(leaf).get('prepare_data')
    with ExitStack() as stack:
        tagging = _TaggedPreparation(leaf, numbers, kept, own)
        stack.enter_context(_put(leaf, 'prepare_data', tagging))
        stack.enter_context(_put(leaf, '_rand_another', tagging.another()))
        yield


@contextmanager
def _put(leaf: BaseDataset, name: str, value: Any) -> Iterator[None]:
    own = vars(leaf).get(name)
    vars(leaf)[name] = value
    try:
        yield
    finally:
        vars(leaf).pop(name, None)
        if own is not None:
            vars(leaf)[name] = own


def unmixed(leaf: BaseDataset, pipeline: Callable) -> BaseDataset:
    """Copy a :func:`tagged` dataset with another pipeline; the data is shared.

    Args:
        leaf (BaseDataset): The dataset; it is not changed.
        pipeline (callable): From loading to packing.
    """
    other = copy.copy(leaf)
    other.pipeline = pipeline
    tagging: _TaggedPreparation = vars(leaf)['prepare_data'].of(other)
    vars(other).update(prepare_data=tagging, _rand_another=tagging.another())
    return other


class _TaggedPreparation:
    """A ``leaf.prepare_data`` that tags what it returns; can be pickled.

    Args:
        leaf (BaseDataset): The dataset.
        numbers (Tensor): int64 (len(leaf),), its instance numbers.
        kept (Kept): The images that may be mixed into other samples.
        own (callable, optional): The ``prepare_data`` set on the object
            itself, which overrides its class's method.
    """

    def __init__(
        self,
        leaf: BaseDataset,
        numbers: Tensor,
        kept: Kept,
        own: Callable | None,
    ) -> None:
        self.leaf = leaf
        self._numbers = numbers
        self._kept = kept
        self._transforms: list = []
        self._mixes = False
        self._own = own
        self._gave_nothing: list[int] = []
        # A tensor, as every worker has it for every image.
        self._loaded_before = torch.full_like(numbers, NOT_SHOWN)
        self._calls = 0

    def of(self, leaf: BaseDataset) -> '_TaggedPreparation':
        """The same preparation for a copy of the dataset."""
        return type(self)(leaf, self._numbers, self._kept, self._own)

    def another(self) -> AnotherKept:
        """The ``leaf._rand_another`` that goes with it."""
        return AnotherKept(
            self.leaf, self._numbers, self._kept, self._gave_nothing
        )

    def __call__(self, index: int) -> Any:
        # When None is returned, BaseDataset asks for another image.
        instead = [*self._gave_nothing]
        self._gave_nothing.clear()
        self._calls += 1
        item, number, given_up = self._prepare(index)
        missed = dict.fromkeys([*instead, *given_up])
        if item is None:
            self._gave_nothing[:] = [*missed, self._number(index)]
            return None
        if number == NOT_SHOWN:
            number = WHY_UNKNOWN
        return tag(item, number, {INSTEAD: tuple(missed)} if missed else {})

    def _prepare(self, index: int) -> tuple[Any, int | str, list[int]]:
        """The item, its number, and the numbers given up for it."""
        method, mixing = type(self.leaf).prepare_data, self._is_mixing()
        simple = self._own is None and method is BaseDataset.prepare_data
        # BaseDataset.prepare_data loads just the image at its index.
        if simple and not mixing:
            return method(self.leaf, index), self._number(index), []
        calls = self._calls
        item, asked, given_up = self._watched(index, mixing)
        if self._calls > calls:  # It called itself for another image.
            given_up.append(self._number(index))
        number = self._the_one(asked or self._loaded_earlier(index))
        if isinstance(number, int):
            self._loaded_before[index] = number
        return item, number, given_up

    def _watched(
        self, index: int, mixing: bool
    ) -> tuple[Any, set[int], list[int]]:
        """The item, the images asked for it, and those given up for it."""
        leaf, asked = self.leaf, set[int]()

        def info(original: Callable, index: int) -> Any:
            number = self._number(index)
            try:
                found = original(index)
            except Exception:
                given_up.append(number)
                raise
            asked.add(number)
            # A mixing pipeline needs the number in the sample from the start.
            return tag(found, number) if mixing else found

        with (
            carrying(leaf.pipeline, self._kept) if mixing else nullcontext(),
            giving_up(leaf, asked) as given_up,
            override(leaf, 'get_data_info', info),
        ):
            # Not leaf.prepare_data, which is this very object.
            prepare = self._own or type(leaf).prepare_data.__get__(leaf)
            return prepare(index), asked, given_up

    def _loaded_earlier(self, index: int) -> set[int]:
        """The image that a dataset which loads nothing has kept."""
        before = int(self._loaded_before[index])
        return set() if before == NOT_SHOWN else {before}

    def _is_mixing(self) -> bool:
        """Whether the current pipeline mixes images; hooks may switch it."""
        pipeline = getattr(self.leaf, 'pipeline', None)
        now = [*getattr(pipeline, 'transforms', ())]
        if now != self._transforms:
            self._mixes = pipeline_mixes(pipeline)
        self._transforms = now
        return self._mixes

    def _number(self, index: int) -> int:
        # Indices may be negative, as for a list.
        return int(self._numbers[int(index) % len(self.leaf)])

    def _the_one(self, asked: set[int]) -> int | str:
        """The image that was loaded, or the reason why it is not known."""
        if len(asked) == 1:
            return next(iter(asked))
        name = f'{type(self.leaf).__name__}.prepare_data'
        if asked:
            return (
                f'{name} asks get_data_info for {len(asked)} images to make '
                'one sample, so it is not known whose loss it has; ask for '
                'one image, or train without a selection hook'
            )
        return (
            f'{name} loads an image without get_data_info, so it is not '
            'known which one; take it from self.get_data_info(index)'
        )
