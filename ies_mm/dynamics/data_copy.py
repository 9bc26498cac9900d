"""A training set to load images from without a trace."""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import Tensor

from ies_mm.errors import ConfigError
from ies_mm.training.data.mixing import transforms_of
from ies_mm.training.data.partners import CACHE


def own_copy(dataset: Any) -> Any:
    """A data set with transforms of its own over the same annotations.

    A transform may keep a cache or a generator, which the training's must
    not notice. Caches of mixing transforms are empty in the copy, and no
    image is pruned there: its samples depend on nothing but the random state.

    Raises:
        ConfigError: It cannot be copied.
    """
    try:
        memo = dict(_shared(dataset)) | dict(_emptied(dataset))
        return copy.deepcopy(dataset, memo)
    except TypeError as error:
        raise ConfigError(
            f'TrainingDynamicsHook loads its images by a copy of the '
            f'training set, and {type(dataset).__name__} cannot be copied '
            f'({error}); have it open files and connections when an image '
            'is loaded, or train without this hook'
        ) from error


def _shared(dataset: Any) -> Iterator[tuple[int, Any]]:
    """What is large and is only read, as deepcopy's memo wants it."""
    for name, value in vars(dataset).items():
        if isinstance(value, np.ndarray | Tensor) or name == 'data_list':
            yield id(value), value
        parts = value if isinstance(value, list | tuple) else [value]
        for part in parts if name != 'data_list' else ():
            if hasattr(part, '__getitem__') and hasattr(part, '__dict__'):
                yield from _shared(part)


def _emptied(dataset: Any) -> Iterator[tuple[int, list]]:
    """Caches of the samples that came before, for the same memo."""
    for _, transform in transforms_of(dataset):
        if isinstance(cache := getattr(transform, CACHE, None), list):
            yield id(cache), []
