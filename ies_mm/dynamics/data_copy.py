"""A copy of the training set, to load images without side effects."""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import Tensor

from ies_mm.errors import ConfigError
from ies_mm.training.data.mixing_transforms import transforms_of
from ies_mm.training.data.partners import CACHE


def own_copy(dataset: Any) -> Any:
    """A dataset with its own transforms over the same annotations.

    A transform may keep a cache or a generator, and the training's must not
    change. In the copy, caches of mixing transforms are empty and no image is
    pruned, so its samples depend only on the random state.

    Raises:
        ConfigError: The dataset cannot be copied.
    """
    try:
        # deepcopy takes from the memo: annotations are not duplicated, and
        # caches come out empty.
        memo = dict(_shared(dataset)) | dict(_emptied(dataset))
        return copy.deepcopy(dataset, memo)
    except TypeError as error:
        raise ConfigError(
            f'TrainingDynamicsHook loads its images from a copy of the '
            f'training set, but {type(dataset).__name__} cannot be copied '
            f'({error}); open files and connections only when an image is '
            'loaded, or train without this hook'
        ) from error


def _shared(dataset: Any) -> Iterator[tuple[int, Any]]:
    """Large read-only values, as entries of deepcopy's memo."""
    for name, value in vars(dataset).items():
        if isinstance(value, np.ndarray | Tensor) or name == 'data_list':
            yield id(value), value
        parts = value if isinstance(value, list | tuple) else [value]
        for part in parts if name != 'data_list' else ():
            # Wrapped datasets; lists and tuples of settings have no __dict__.
            if hasattr(part, '__getitem__') and hasattr(part, '__dict__'):
                yield from _shared(part)


def _emptied(dataset: Any) -> Iterator[tuple[int, list]]:
    """Caches of earlier samples, to be emptied, for the same memo."""
    for _, transform in transforms_of(dataset):
        if isinstance(cache := getattr(transform, CACHE, None), list):
            yield id(cache), []
