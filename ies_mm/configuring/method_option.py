"""Replaces the selection method of a config, keeping everything else."""

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import HOOKS

from ies_mm.configuring.others import made
from ies_mm.configuring.reading import (
    class_of,
    hooks_in,
    selection_hooks,
    type_name,
)
from ies_mm.errors import ConfigError
from ies_mm.spelling import did_you_mean
from ies_mm.training.hook.common_arguments import COMMON

SELECTS = 'ies'
STOPS = 'early_stopping'
"""The keys of a method's hook."""


def swap_method(
    cfg: Config,
    name: str,
    folder: Path,
    options: Mapping[str, Any] | None = None,
) -> Config:
    """Put a method into a config, replacing the one it may have.

    Of the config's own hook, the arguments that all hooks take (``COMMON``)
    and the share that a budget saves are kept, so that methods are compared
    at the same saved share; its other arguments are dropped.

    Args:
        cfg (Config): With or without a selection method.
        name (str): Name of the method: a file in ``folder``.
        folder (Path): Has a config for each method, with only its hook.
        options (mapping, optional): Settings by dotted key, such as the new
            hook's arguments, that replace the result's. Defaults to none.

    Returns:
        Config: A copy.

    Raises:
        ConfigError: There is no such method, or it does not fit the config.
    """
    method = _read(name, folder)
    cfg = _copied(cfg, name)
    own = dict(selection_hooks(cfg))
    if SELECTS in method.default_hooks:
        cfg = _selecting(cfg, method, own, name)
        cfg.merge_from_dict(dict(options or {}))
        return cfg
    if own:
        raise ConfigError(
            f'--method {name} selects no images, and {", ".join(own)} does; '
            'give the plain config'
        )
    _drop(cfg, dict(_stopping_hooks(cfg)))
    cfg = _merged(cfg, method, name)
    cfg.merge_from_dict(dict(options or {}))
    _monitor(cfg, name)
    return cfg


def method_names(folder: Path) -> list[str]:
    """The methods that :func:`swap_method` knows."""
    return sorted(path.stem for path in folder.glob('*.py'))


def _copied(cfg: Config, name: str) -> Config:
    """A copy without hook and import keys that are None."""
    cfg = copy.deepcopy(cfg)
    if not isinstance(cfg.get('train_dataloader'), dict):
        raise ConfigError(
            f'--method {name}: the config has no train_dataloader, so it '
            'trains nothing'
        )
    # MMEngine refuses to merge a dict into None.
    for key in ('default_hooks', 'custom_hooks', 'custom_imports'):
        if cfg.get(key, ...) is None:
            del cfg[key]
    return cfg


def _selecting(
    cfg: Config, method: Config, own: dict[str, dict], name: str
) -> Config:
    """Add the method's hook, our import and, if needed, our sampler."""
    _drop(cfg, own)
    for hook in own.values():
        _carry_over(hook, method.default_hooks[SELECTS])
    cfg = _merged(cfg, method, name)
    if HOOKS.get(cfg.default_hooks[SELECTS].type).needs_sampler:
        sampler = cfg.train_dataloader.get('sampler') or dict(shuffle=True)
        cfg.train_dataloader.sampler = dict(sampler, type='IESSampler')
    import_ours(cfg)
    return cfg


def _read(name: str, folder: Path) -> Config:
    names = method_names(folder)
    if name not in names:
        raise ConfigError(
            f'--method {name}: there is no such method; '
            f'there are {", ".join(names)}{did_you_mean(name, names)}'
        )
    return Config.fromfile(folder / f'{name}.py')


def _merged(cfg: Config, method: Config, name: str) -> Config:
    [key] = method.default_hooks
    taken = (cfg.get('default_hooks') or {}).get(key)
    if taken is not None:
        raise ConfigError(
            f'--method {name} adds its hook as default_hooks.{key}, where the '
            f'config has {taken!r:.80}; give that hook another key'
        )
    cfg.merge_from_dict(method.to_dict())
    return cfg


def _drop(cfg: Config, hooks: dict[str, dict]) -> None:
    for name in list(cfg.get('default_hooks') or {}):
        if f'default_hooks.{name}' in hooks:
            del cfg.default_hooks[name]
    if cfg.get('custom_hooks'):
        cfg.custom_hooks = [
            hook
            for i, hook in enumerate(cfg.custom_hooks)
            if f'custom_hooks[{i}]' not in hooks
        ]


def _carry_over(own: dict, hook: dict) -> None:
    for key in COMMON:
        if key in own:
            hook[key] = own[key]
    # Unlike a share, a delta given as a number fits only one criterion.
    saved = _budget(own)
    for part in (hook, hook.get('delta')):
        if saved is not None and isinstance(part, dict) and 'saved' in part:
            part['saved'] = saved


def _budget(hook: dict) -> float | None:
    """The share that a hook was told to save, by any of its arguments."""
    for part in (hook, hook.get('delta'), hook.get('ratio')):
        if isinstance(part, dict) and part.get('saved') is not None:
            return part['saved']
    return None


def _monitor(cfg: Config, name: str) -> None:
    """Have early stopping watch the metric of the best checkpoint."""
    hooks, key = cfg.default_hooks, f'default_hooks.{STOPS}'
    hook, checkpoint = hooks[STOPS], hooks.get('checkpoint') or {}
    if 'monitor' not in hook:
        hook['monitor'] = _metric(checkpoint.get('save_best'), name)
        if rule := checkpoint.get('rule'):
            hook.setdefault('rule', rule)
    # Without a rule, MMEngine infers it from the metric, or refuses to.
    made(key, class_of(HOOKS, hook), hook)


def _metric(found: Any, name: str) -> str:
    # MMEngine resolves 'auto' in the first validation, too late for
    # EarlyStoppingHook, whose monitor is an argument.
    if not isinstance(found, str) or found == 'auto':
        raise ConfigError(
            f'--method {name} watches the metric of the best checkpoint, '
            f'found default_hooks.checkpoint.save_best={found!r}; name it '
            "in the config or by --cfg-options, as in save_best='mIoU'"
        )
    return found


def _stopping_hooks(cfg: Config) -> Iterator[tuple[str, dict]]:
    """The early-stopping hooks of a config, each with its key."""
    for key, hook in hooks_in(cfg):
        if type_name(hook).endswith('EarlyStoppingHook'):
            yield key, hook


def import_ours(cfg: Config) -> None:
    """Import ies_mm, so that the dumped config trains by itself.

    Raises:
        ConfigError: ``custom_imports`` is no dict.
    """
    imports = cfg.get('custom_imports') or {}
    if not isinstance(imports, dict):
        raise ConfigError(
            f'custom_imports={imports!r}: give dict(imports=[...])'
        )
    imports = dict(imports)
    names = imports.get('imports') or []
    names = [names] if isinstance(names, str) else list(names)
    if 'ies_mm.engine' not in names:
        imports['imports'] = [*names, 'ies_mm.engine']
        imports.setdefault('allow_failed_imports', False)
        cfg.custom_imports = imports
