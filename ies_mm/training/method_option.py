"""A config with another selection method, all else as it was."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import HOOKS

from ies_mm.errors import ConfigError
from ies_mm.training.preflight import selection_hooks

SELECTS = 'ies'
STOPS = 'early_stopping'
"""The keys of a method's hook."""

OF_THE_TRAINING = ('keep_history', 'allow_batch_augments')
"""Arguments of a selection hook that stay when its method goes."""

OF_IES = ('scoring', 'fallback')
"""Those that stay where IES stays."""


def swap_method(cfg: Config, name: str, folder: Path) -> Config:
    """Put a method into a config, in the place of the one it may have.

    What the config's own hook says of the training, and the share that its
    budget saves, stay, so that the methods are compared at the same saved
    share; its other arguments go.

    Args:
        cfg (Config): With or without a selection method.
        name (str): Of the method: a file in ``folder``.
        folder (Path): Has a config for each method, with its hook alone.

    Returns:
        Config: A copy.

    Raises:
        ConfigError: There is no such method, or it does not fit the config.
    """
    method = _read(name, folder)
    cfg = _copied(cfg, name)
    own = dict(selection_hooks(cfg))
    if SELECTS in method.default_hooks:
        return _selecting(cfg, method, own)
    if own:
        raise ConfigError(
            f'--method {name} selects no images, and {", ".join(own)} does; '
            'give the plain config'
        )
    _monitor(method.default_hooks[STOPS], cfg, name)
    _drop(cfg, dict(_stopping_hooks(cfg)))
    return _merged(cfg, method)


def method_names(folder: Path) -> list[str]:
    """The methods that :func:`swap_method` knows."""
    return sorted(path.stem for path in folder.glob('*.py'))


def _copied(cfg: Config, name: str) -> Config:
    """A copy, without keys that are None."""
    cfg = copy.deepcopy(cfg)
    if not isinstance(cfg.get('train_dataloader'), dict):
        raise ConfigError(
            f'--method {name}: the config has no train_dataloader, so it '
            'trains nothing'
        )
    for key in ('default_hooks', 'custom_hooks', 'custom_imports'):
        if cfg.get(key, ...) is None:
            del cfg[key]
    return cfg


def _selecting(cfg: Config, method: Config, own: dict[str, dict]) -> Config:
    """With the method's hook, our import and, to select, our sampler."""
    _drop(cfg, own)
    for hook in own.values():
        _carry_over(hook, method.default_hooks[SELECTS])
    cfg = _merged(cfg, method)
    if HOOKS.get(cfg.default_hooks[SELECTS].type).needs_sampler:
        sampler = cfg.train_dataloader.get('sampler') or dict(shuffle=True)
        cfg.train_dataloader.sampler = dict(sampler, type='IESSampler')
    _import_ours(cfg)
    return cfg


def _read(name: str, folder: Path) -> Config:
    names = method_names(folder)
    if name not in names:
        raise ConfigError(
            f'--method {name}: there is no such method; '
            f'there are {", ".join(names)}'
        )
    return Config.fromfile(folder / f'{name}.py')


def _merged(cfg: Config, method: Config) -> Config:
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
    stays = own['type'] == hook['type'] == 'IESHook'
    for key in (*OF_THE_TRAINING, *(OF_IES if stays else ())):
        if key in own:
            hook[key] = own[key]
    saved = _budget(own)
    for part in (hook, hook.get('delta')):
        if saved is not None and isinstance(part, dict) and 'saved' in part:
            part['saved'] = saved


def _budget(hook: dict) -> float | None:
    """The share that a hook was told to save, however that was said."""
    for part in (hook, hook.get('delta'), hook.get('ratio')):
        if isinstance(part, dict) and 'saved' in part:
            return part['saved']
    return None


def _monitor(hook: dict, cfg: Config, name: str) -> None:
    """Have early stopping watch the metric of the best checkpoint."""
    hooks: Any = cfg.get('default_hooks') or {}
    metric = (hooks.get('checkpoint') or {}).get('save_best')
    if not isinstance(metric, str) or metric == 'auto':
        raise ConfigError(
            f'--method {name} watches the metric of the best checkpoint, '
            f'found default_hooks.checkpoint.save_best={metric!r}; name it '
            "in the config, as in save_best='pascal_voc/mAP'"
        )
    hook['monitor'] = metric
    if rule := hooks.checkpoint.get('rule'):
        hook['rule'] = rule


def _stopping_hooks(cfg: Config) -> Iterator[tuple[str, dict]]:
    """Early stopping that the config may have under another key."""
    for i, hook in enumerate(cfg.get('custom_hooks') or []):
        if str(hook.get('type')).endswith('EarlyStoppingHook'):
            yield f'custom_hooks[{i}]', hook


def _import_ours(cfg: Config) -> None:
    """So that the dumped config trains by itself."""
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
