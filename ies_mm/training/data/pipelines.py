"""Which pipeline and losses a training has, to notice a switch."""

from collections.abc import Iterator
from inspect import signature
from typing import Any

import numpy as np
from torch import nn

from ies_mm.training.data.mixing import mixes, transforms_of

LARGEST = 64
"""Numbers of an array that is described."""
_SIMPLE = (bool, int, float, str, type(None))


class Pipelines:
    """Notices that transforms or batch augments were put in place of others.

    Args:
        dataset (Dataset): The training's.
        model (nn.Module): The training's, not wrapped.
    """

    def __init__(self, dataset: Any, model: nn.Module) -> None:
        self._dataset = dataset
        self._model = model
        self._known: list[Any] = []

    def now(self, before: str | None) -> str:
        """A description of what there is now.

        Args:
            before (str, optional): What this gave last, in this process or
                before a resume. It is given again where the transforms are
                the same objects: some count what they have done.
        """
        parts = list(self._parts())
        same = len(parts) == len(self._known) and all(
            a is b for a, b in zip(parts, self._known, strict=True)
        )
        self._known = parts
        if same and before is not None:
            return before
        return '; '.join(map(_described, parts))

    def _parts(self) -> Iterator[Any]:
        for _, transform in transforms_of(self._dataset):
            yield transform
        preprocessor = getattr(self._model, 'data_preprocessor', None)
        augments = getattr(preprocessor, 'batch_augments', None)
        yield from getattr(augments, 'augments', augments) or ()


class LossModules:
    """Notices that loss modules were put in place of others.

    One that changes itself, as a weight that is scheduled does, is the same.

    Args:
        model (nn.Module): The training's, not wrapped.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._known: dict[str, nn.Module] = {}

    def now(self, before: dict[str, str] | None) -> dict[str, str]:
        """A description of each, by its name in the model.

        Args:
            before (dict, optional): As in :meth:`Pipelines.now`.
        """
        modules = {
            name: module
            for name, module in self._model.named_modules()
            if _is_loss(name, module)
        }
        known, self._known = self._known, modules
        return {
            name: before[name]
            if before and name in before and known.get(name) is module
            else _described(module)
            for name, module in modules.items()
        }


def switched(before: dict[str, str] | None, now: dict[str, str]) -> list[str]:
    """Names of the loss modules that are others; not what joins or leaves."""
    both = now.keys() & (before or {}).keys()
    return sorted(
        name for name in both if before and now[name] != before[name]
    )


def _is_loss(name: str, module: nn.Module) -> bool:
    several = isinstance(module, nn.ModuleList | nn.ModuleDict)
    names = name.split('.')
    return not several and any(part.startswith('loss') for part in names)


def _described(part: Any) -> str:
    found = {
        name: _plain(value)
        for name, value in sorted(vars(part).items())
        if not name.startswith('_') and name != 'training'
    }
    if mixes(part):
        # The others are its cache, and what it has drawn last.
        found = {k: v for k, v in found.items() if k in _arguments(part)}
    values = {name: x for name, x in found.items() if _is_simple(x)}
    return f'{type(part).__module__}.{type(part).__qualname__}{values}'


def _arguments(part: Any) -> set[str]:
    """What a transform, and those it is derived from, are made with."""
    classes = type(part).__mro__[:-1]
    return {name for cls in classes for name in signature(cls).parameters}


def _plain(value: Any) -> Any:
    """Means and deviations as lists; a large array is no setting."""
    is_array = isinstance(value, np.ndarray) and value.size <= LARGEST
    return value.tolist() if is_array else value


def _is_simple(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_simple, value))
    return isinstance(value, _SIMPLE)
