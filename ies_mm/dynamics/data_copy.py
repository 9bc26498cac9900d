"""A training set to load images from without a trace."""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import Tensor

from ies_mm.errors import ConfigError


def own_copy(dataset: Any) -> Any:
    """A data set with transforms of its own over the same annotations.

    A transform may keep a cache or a generator, which the training's must
    not notice.

    Raises:
        ConfigError: It cannot be copied.
    """
    try:
        return copy.deepcopy(dataset, dict(_shared(dataset)))
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
