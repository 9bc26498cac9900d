"""Data sets whose samples get the numbers of the images they show."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.dataset import BaseDataset
from torch import Tensor

from ies_mm.losses.capture.patching import override
from ies_mm.training.data.tagging import INSTEAD, TAG, tag

NOT_SHOWN = -1
"""In the place of the number of an image that no position shows."""


@contextmanager
def tagged(leaf: BaseDataset, numbers: Tensor) -> Iterator[None]:
    """Have the items of a data set carry the numbers of their instances.

    Wraps ``prepare_data``, which is given the index of the image that is
    really loaded, also where a pipeline returned None and another image was
    fetched instead. Open it before workers start: they hold copies of the
    data set.

    Args:
        leaf (BaseDataset): The data set.
        numbers (Tensor): int64 (len(leaf),), of its instances.
    """
    own = vars(leaf).get('prepare_data')
    vars(leaf)['prepare_data'] = _TaggedPreparation(leaf, numbers, own)
    try:
        yield
    finally:
        vars(leaf).pop('prepare_data', None)
        if own is not None:
            vars(leaf)['prepare_data'] = own


@contextmanager
def carried(wrapper: Any) -> Iterator[None]:
    """Have a wrapper's own pipeline hand the numbers on to what it packs.

    Args:
        wrapper (Dataset): With ``pipeline``, a list or an OpenMMLab
            ``Compose``, of transforms that mix nothing.
    """
    pipeline = wrapper.pipeline
    transforms: list = getattr(pipeline, 'transforms', pipeline)
    own = [*transforms]
    transforms[:] = [_Carrying(transform) for transform in own]
    try:
        yield
    finally:
        transforms[:] = own


_NOT_SHOWN = (
    'an image came in the place of another one, and is none of those that '
    'the data set shows at its positions; leave '
    'train_dataloader.num_batch_per_epoch out'
)


class _Carrying:
    """A transform that keeps the number of the image; can be pickled."""

    def __init__(self, transform: Callable) -> None:
        self._transform = transform

    def __call__(self, results: Any) -> Any:
        known = {key: results[key] for key in (TAG, INSTEAD) if key in results}
        item = self._transform(results)
        return tag(item, known.pop(TAG), known) if known else item


@contextmanager
def _giving_up(leaf: BaseDataset, asked: set[int]) -> Iterator[list[int]]:
    """Forget the images whose pipeline fails: they are in no sample.

    Args:
        leaf (BaseDataset): Whose pipeline.
        asked (set of int): The images asked for so far.

    Yields:
        list of int: Those that were given up.
    """
    given_up: list[int] = []
    pipeline = vars(leaf).get('pipeline')

    def give_up() -> None:
        given_up.extend(asked)
        asked.clear()

    watched = _WatchedPipeline(pipeline, give_up)
    if pipeline is not None:
        vars(leaf)['pipeline'] = watched
    try:
        yield given_up
    finally:
        # A data set may well put another one in its place.
        if vars(leaf).get('pipeline') is watched:
            vars(leaf)['pipeline'] = pipeline


class _WatchedPipeline:
    """A pipeline that says when it gave no sample."""

    def __init__(self, pipeline: Any, give_up: Callable[[], None]) -> None:
        self._pipeline = pipeline
        self._give_up = give_up

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipeline, name)

    def __call__(self, results: Any) -> Any:
        try:
            item = self._pipeline(results)
        except Exception:
            self._give_up()
            raise
        if item is None:
            self._give_up()
        return item


class _TaggedPreparation:
    """``leaf.prepare_data`` that tags what it returns; can be pickled.

    Args:
        leaf (BaseDataset): The data set.
        numbers (Tensor): int64 (len(leaf),), of its instances.
        own (callable, optional): What the object itself had in the place of
            its class's method.
    """

    def __init__(
        self, leaf: BaseDataset, numbers: Tensor, own: Callable | None
    ) -> None:
        self.leaf = leaf
        self._numbers = numbers
        self._own = own
        self._gave_nothing: list[int] = []
        self._asked_before: dict[int, set[int]] = {}
        self._calls = 0

    def __call__(self, index: int) -> Any:
        # After None, BaseDataset asks for another image.
        instead, self._gave_nothing = self._gave_nothing, []
        self._calls += 1
        item, number, given_up = self._prepare(index)
        missed = dict.fromkeys([*instead, *given_up])
        if item is None:
            self._gave_nothing = [*missed, self._number(index)]
            return None
        if number == NOT_SHOWN:
            number = _NOT_SHOWN
        return tag(item, number, {INSTEAD: tuple(missed)} if missed else {})

    def _prepare(self, index: int) -> tuple[Any, int | str, list[int]]:
        """The item, its number, and those that were given up for it."""
        leaf = self.leaf
        method = type(leaf).prepare_data
        if self._own is None and method is BaseDataset.prepare_data:
            return method(leaf, index), self._number(index), []
        calls, asked = self._calls, set[int]()

        def info(original: Callable, index: int) -> Any:
            number = self._number(index)
            try:
                found = original(index)
            except Exception:
                given_up.append(number)
                raise
            asked.add(number)
            return found

        with (
            _giving_up(leaf, asked) as given_up,
            override(leaf, 'get_data_info', info),
        ):
            prepare = self._own or method.__get__(leaf)
            item = prepare(index)
        if self._calls > calls:  # It called itself for another image.
            given_up.append(self._number(index))
        # What is kept from an earlier call is the image of that call.
        asked = asked or self._asked_before.get(index, set())
        self._asked_before[index] = asked
        return item, self._the_one(asked), given_up

    def _number(self, index: int) -> int:
        return int(self._numbers[int(index) % len(self.leaf)])

    def _the_one(self, asked: set[int]) -> int | str:
        """The one image that was loaded, or why it is not known."""
        if len(asked) == 1:
            return next(iter(asked))
        name = f'{type(self.leaf).__name__}.prepare_data'
        if asked:
            return (
                f'{name} asks get_data_info for {len(asked)} images to make '
                'one sample, so whose loss it has is not known; ask for one '
                'image, or train without a selection hook'
            )
        return (
            f'{name} loads an image without get_data_info, so which one it '
            'is is not known; take it from self.get_data_info(index)'
        )
