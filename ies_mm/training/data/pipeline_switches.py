"""Detects when a training run's pipeline or losses are switched."""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from inspect import ismemberdescriptor, isroutine, signature
from typing import Any

import numpy as np
from torch import nn

from ies_mm.training.data.mixing_transforms import transforms_of

LARGEST = 64
"""The largest array, in elements, that counts as a setting."""
CONTENT = 'checksum'
"""An attribute for the content of a file that a transform reads."""
_SIMPLE = (bool, int, float, str, type(None))


def described_pipeline(dataset: Any, model: nn.Module) -> str:
    """The transforms and batch augments of a training run, by their arguments.

    Args:
        dataset (Dataset): The dataset of the training.
        model (nn.Module): The unwrapped model of the training.
    """
    return '; '.join(map(_described_part, _parts(dataset, model)))


def _parts(dataset: Any, model: nn.Module) -> Iterator[Any]:
    for _, transform in transforms_of(dataset):
        yield transform
    preprocessor = getattr(model, 'data_preprocessor', None)
    augments = getattr(preprocessor, 'batch_augments', None)
    augments = getattr(augments, 'augments', augments)
    # A preprocessor of the user's may have a single one.
    several = augments if isinstance(augments, Iterable) else [augments]
    # mmpretrain's None does nothing, with the rest of the chance.
    yield from (augment for augment in several if augment is not None)


class LossModules:
    """Detects that loss modules were replaced.

    A module that changes itself, such as one that schedules its weight, was
    not replaced.

    Args:
        model (nn.Module): The unwrapped model of the training.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._known: dict[str, nn.Module] = {}

    def now(self, before: dict[str, str] | None) -> dict[str, str]:
        """A description of each loss module, by its name in the model.

        Args:
            before (dict, optional): The last description, from this process
                or before a resume. It is returned again for the same modules,
                since some schedule their own weight.
        """
        modules = _loss_modules(self._model)
        known, self._known = self._known, modules
        return {
            name: before[name]
            if before and name in before and known.get(name) is module
            else _described(module)
            for name, module in modules.items()
        }


def switched(before: dict[str, str] | None, now: dict[str, str]) -> list[str]:
    """Names of the replaced loss modules, without added or removed ones."""
    both = now.keys() & (before or {}).keys()
    return sorted(
        name for name in both if before and now[name] != before[name]
    )


def losses_by_attribute(model: nn.Module) -> dict[str, int]:
    """Number of loss modules in each attribute that holds some.

    mmseg's heads hold one loss, or several in a list. Parts of a loss do not
    count.

    Args:
        model (nn.Module): The unwrapped model of the training.
    """
    names = _loss_modules(model).keys()
    whole = [
        name
        for name in names
        if not any(name.startswith(f'{other}.') for other in names)
    ]
    return dict(Counter(map(_attribute, whole)))


def _attribute(name: str) -> str:
    """``decode_head.loss_decode`` of ``decode_head.loss_decode.1``."""
    parts = name.split('.')
    first = next(i for i, x in enumerate(parts) if x.startswith('loss'))
    return '.'.join(parts[: first + 1])


def _loss_modules(model: nn.Module) -> dict[str, nn.Module]:
    return {
        name: module
        for name, module in model.named_modules()
        if _is_loss(name, module)
    }


def _is_loss(name: str, module: nn.Module) -> bool:
    several = isinstance(module, nn.ModuleList | nn.ModuleDict)
    names = name.split('.')
    return not several and any(part.startswith('loss') for part in names)


def _described_part(part: Any) -> str:
    """A transform or batch augment: any callable will do."""
    if isroutine(part):
        return _name(part)
    if isinstance(part, partial):
        given = dict[Any, Any](enumerate(part.args)) | part.keywords
        return f'{_described_part(part.func)}{_settings(given)}'
    return _described(part, _arguments(part))


def _described(part: Any, names: set[str] | None = None) -> str:
    """Type and attributes; with ``names``, only those."""
    found = {
        name: value
        for name, value in sorted(_attributes(part).items())
        # A loss module's mode changes with every validation.
        if not name.startswith('_') and name != 'training'
    }
    if names is not None:
        found = {k: v for k, v in found.items() if k in names}
    return f'{_name(type(part))}{_settings(found)}'


def _name(what: Any) -> str:
    return f'{what.__module__}.{what.__qualname__}'


def _settings(values: dict[Any, Any]) -> dict[Any, Any]:
    plain = {name: _plain(value) for name, value in values.items()}
    return {name: value for name, value in plain.items() if _is_simple(value)}


def _attributes(part: Any) -> dict[str, Any]:
    """Those of an object, also if its class has ``__slots__``."""
    found = {
        name: getattr(part, name)
        for cls in type(part).__mro__
        for name, kind in vars(cls).items()
        if ismemberdescriptor(kind) and hasattr(part, name)
    }
    return found | getattr(part, '__dict__', {})


def _arguments(part: Any) -> set[str]:
    """Constructor parameters of a transform's class and its bases.

    Its other attributes may be caches, counts or its last draws, as mmdet's
    MinIoURandomCrop keeps its mode.
    """
    names = set().union(*map(_parameters, type(part).__mro__[:-1]))
    return names | {CONTENT}


def _parameters(cls: type) -> set[str]:
    """The names in a class's signature; classes written in C have none."""
    try:
        return {*signature(cls).parameters}
    except (TypeError, ValueError):
        return set()


def _plain(value: Any) -> Any:
    """Small arrays, such as means, as lists; large ones are not settings."""
    is_array = isinstance(value, np.ndarray) and value.size <= LARGEST
    return value.tolist() if is_array else value


def _is_simple(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_simple, value))
    return isinstance(value, _SIMPLE)
