"""Samples that carry the number of the image that they really show."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.dataset import BaseDataset
from mmengine.structures import BaseDataElement
from torch import Tensor

from ies_mm.errors import ConfigError
from ies_mm.losses.patching import override

TAG = 'ies_instance'
"""Meta information key under which a sample carries its instance number.

Where there is no such number, the reason.
"""

INSTEAD = 'ies_fetched_instead'
"""Meta information key of a sample that came in the place of another."""

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
        del vars(leaf)['prepare_data']
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


def tag(item: Any, number: int | str, more: Mapping[str, Any] = {}) -> Any:
    """Write the number of its instance into an item of a data set.

    Args:
        item (Any): What a data set gave. In a dict without a data sample,
            which a wrapper has yet to pack, the number is a key of its own.
        number (int or str): See ``TAG``.
        more (mapping): Further meta information. Defaults to none.

    Returns:
        Any: The same item.
    """
    sample = item.get('data_samples') if isinstance(item, Mapping) else None
    if isinstance(sample, BaseDataElement):
        sample.set_metainfo({TAG: number, **more})
    elif isinstance(item, dict):
        item.update({TAG: number, **more})
    return item


def instances_of(samples: Sequence[Any] | None) -> Tensor:
    """The instance numbers of data samples.

    Returns:
        Tensor: int64 (B,).

    Raises:
        ConfigError: A sample carries no number.
        ConfigError: A data set's ``prepare_data`` loads its images in a way
            that is not known.
        ConfigError: They are several views of the images.
    """
    if isinstance(samples, Mapping):
        raise ConfigError(
            "the batch's data_samples are a dict of "
            f'{", ".join(map(str, samples))}, not one sample an image; '
            'several views of an image (MultiBranch) have no loss of their '
            'own: train without a selection hook, or without the views'
        )
    numbers = [getattr(sample, TAG, None) for sample in samples or []]
    for reason in numbers:
        if isinstance(reason, str):
            raise ConfigError(reason)
    if not numbers or None in numbers:
        raise ConfigError(
            "the batch's data_samples do not say which image they show; the "
            "pipeline must end in OpenMMLab's own packing (PackDetInputs, "
            'PackSegInputs, PackInputs)'
        )
    return torch.tensor(numbers, dtype=torch.long)


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

    if pipeline is not None:
        vars(leaf)['pipeline'] = _WatchedPipeline(pipeline, give_up)
    try:
        yield given_up
    finally:
        if pipeline is not None:
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
        self._gave_nothing = False
        self._asked_before: dict[int, set[int]] = {}
        self._calls = 0

    def __call__(self, index: int) -> Any:
        # After None, BaseDataset asks for another image.
        instead, self._gave_nothing = self._gave_nothing, False
        self._calls += 1
        item, number, gave_up = self._prepare(index)
        self._gave_nothing = item is None
        if number == NOT_SHOWN:
            number = _NOT_SHOWN
        return tag(item, number, {INSTEAD: True} if instead or gave_up else {})

    def _prepare(self, index: int) -> tuple[Any, int | str, bool]:
        """The item, its number, and whether another one was given up."""
        leaf = self.leaf
        method = type(leaf).prepare_data
        if self._own is None and method is BaseDataset.prepare_data:
            return method(leaf, index), self._number(index), False
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
        # It may also have called itself for another image.
        gave_up = bool(given_up) or self._calls > calls
        # What is kept from an earlier call is the image of that call.
        asked = asked or self._asked_before.get(index, set())
        self._asked_before[index] = asked
        return item, self._the_one(asked), gave_up

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
