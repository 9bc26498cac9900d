"""Heads that an adapter takes though no row shows them.

An adapter takes subclasses of the heads that it is registered for.
"""

from importlib import import_module

from _coverage_families import LIBRARIES
from torch import nn

from ies_mm.losses.registry import adapter_for


def heads_of(model: nn.Module) -> list[str]:
    """The classes of a model's parts that have a loss, by library and name."""
    parts = {
        _name(type(module))
        for module in model.modules()
        if callable(getattr(module, 'loss', None)) and module is not model
    }
    return sorted(parts)


def taken_heads() -> list[str]:
    """The heads of the three libraries that an adapter takes."""
    found = set()
    for library in LIBRARIES:
        registry = import_module(f'{library}.registry').MODELS
        found |= {
            _name(head)
            for head in registry.module_dict.values()
            if head.__module__.startswith(f'{library}.') and adapter_for(head)
        }
    return sorted(found)


def _name(head: type) -> str:
    return f'{head.__module__.partition(".")[0]}.{head.__name__}'
