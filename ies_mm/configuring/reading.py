"""The parts of a config, and the classes they name."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.config import Config
from mmengine.registry import DATASETS, HOOKS, DefaultScope

from ies_mm.training.hook.selection_hook import SelectionHook

OF_MMENGINE = ('type', 'priority', '_scope_')
"""Keys of a hook's dict that MMEngine reads itself."""


def hooks_in(cfg: Config) -> Iterator[tuple[str, dict]]:
    """The hooks that a config describes, each with its key."""
    found = {
        f'default_hooks.{name}': hook
        for name, hook in (cfg.get('default_hooks') or {}).items()
    }
    for i, hook in enumerate(cfg.get('custom_hooks') or []):
        found[f'custom_hooks[{i}]'] = hook
    for key, hook in found.items():
        # MMEngine takes built hooks, too.
        if isinstance(hook, dict):
            yield key, hook


def selection_hooks(cfg: Config) -> Iterator[tuple[str, dict]]:
    """The selection hooks of a config, each with its key."""
    for key, hook in hooks_in(cfg):
        if is_a(HOOKS, hook, SelectionHook):
            yield key, hook


def datasets_in(dataset: Any, key: str) -> Iterator[tuple[str, dict]]:
    """A dataset's config and those of the datasets it wraps, by key.

    Args:
        dataset (Any): Anything but a dict has none.
        key (str): Its place in the config.
    """
    if not isinstance(dataset, dict):
        return
    yield key, dataset
    yield from datasets_in(dataset.get('dataset'), f'{key}.dataset')
    for i, part in enumerate(dataset.get('datasets') or []):
        yield from datasets_in(part, f'{key}.datasets[{i}]')


def is_a(registry: Any, config: Any, base: type) -> bool:
    """Whether a config builds an object of a class.

    Args:
        registry (Registry): Where its type is registered.
        config (Any): Anything but a dict builds nothing.
        base (type): The class.
    """
    cls = class_of(registry, config)
    return isinstance(cls, type) and issubclass(cls, base)


def dataset_class(dataset: dict, scope: str) -> Any:
    """The class or function that a dataset's config names.

    Args:
        dataset (dict): Its config.
        scope (str): See :func:`scope_of`.
    """
    with in_scope(scope, DATASETS) as datasets:
        return class_of(datasets, dataset)


def scope_of(cfg: Config) -> str:
    """The library whose classes a config names without a prefix."""
    return cfg.get('default_scope') or 'mmengine'


@contextmanager
def in_scope(scope: str, registry: Any) -> Iterator[Any]:
    """The registry with a library's classes.

    A root registry finds them only through the scope.

    Args:
        scope (str): See :func:`scope_of`.
        registry (Registry): A root registry.
    """
    with (
        DefaultScope.overwrite_default_scope(scope),
        registry.switch_scope_and_registry(None) as found,
    ):
        yield found


def class_of(registry: Any, config: Any) -> Any:
    """What a config's type names, in MMEngine's scope; None if unknown.

    Args:
        registry (Registry): Where it is registered.
        config (Any): Anything but a dict names nothing.
    """
    if not isinstance(config, dict):
        return None
    kind, scope = config.get('type'), config.get('_scope_')
    if not isinstance(kind, str):
        return kind
    if scope is None:
        return registry.get(kind)
    # MMEngine builds in that scope.
    with registry.switch_scope_and_registry(scope) as chosen:
        return chosen.get(kind)


def type_name(part: Any) -> str:
    """The class that a part of a config names, without its scope."""
    kind = part.get('type')
    # Configs that import classes have the class, not its name.
    name = kind if isinstance(kind, str) else getattr(kind, '__name__', '')
    return name.rpartition('.')[2]
