"""Checks of a config before anything is built or written."""

import copy
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config
from mmengine.registry import (
    DATA_SAMPLERS,
    HOOKS,
    MODELS,
    TRANSFORMS,
    DefaultScope,
)

from ies_mm.configuring.files import check_files
from ies_mm.configuring.others import check_others, made
from ies_mm.configuring.reading import (
    class_of,
    dataset_class,
    datasets_in,
    is_a,
    selection_hooks,
)
from ies_mm.configuring.shape import check_shape
from ies_mm.errors import ConfigError
from ies_mm.labels.place import check_place
from ies_mm.training.data.identity import check_has_classes
from ies_mm.training.data.replaced_sampler import check_replaced
from ies_mm.training.data.sampler import NEEDS_A_HOOK, IESSampler
from ies_mm.training.hook.refusals import check_batch_augments, check_transform
from ies_mm.training.hook.selection_hook import SelectionHook
from ies_mm.training.hook.supported_model import check_model


def check_config(cfg: Config) -> None:
    """Reject a config that cannot train, before anything is built.

    ``ies-mm train`` calls it; in your own train.py, call it before
    ``Runner.from_cfg(cfg)``. Without it, the hook makes the same checks
    before the first step, except for missing data and unknown arguments of a
    hook, which MMEngine reports.

    Args:
        cfg (Config): A training config, with or without a selection hook.

    Raises:
        ConfigError: Names the key, what was found and what to do.
    """
    check_shape(cfg)
    hooks = dict(selection_hooks(cfg))
    built = [_check_hook(key, hook) for key, hook in hooks.items()]
    check_others(cfg)
    _check_pair(cfg, hooks)
    check_place(cfg)
    check_files(cfg, 'train_dataloader', 'val_dataloader')
    if hooks:
        _check_present(cfg, 'model', 'train_dataloader')
        scope = cfg.get('default_scope') or 'mmengine'
        with DefaultScope.overwrite_default_scope(scope):
            _check_transforms(cfg, built[0])
            _check_classes(cfg, built[0], scope)
            _check_model(cfg, built[0])


def _check_hook(key: str, hook: dict) -> SelectionHook:
    found: SelectionHook = made(key, class_of(HOOKS, hook), hook)
    return found


def _check_pair(cfg: Config, hooks: dict[str, dict]) -> None:
    sampler = (cfg.get('train_dataloader') or {}).get('sampler')
    ours = is_a(DATA_SAMPLERS, sampler, IESSampler)
    if ours and not hooks:
        raise ConfigError(NEEDS_A_HOOK + _unknown(cfg))
    for key, hook in hooks.items():
        if ours or not class_of(HOOKS, hook).needs_sampler:
            continue
        found = (sampler or {}).get('type')
        found = getattr(found, '__name__', found)
        raise ConfigError(
            f'{key} needs the IESSampler, found '
            f'train_dataloader.sampler.type={found!r}; add '
            "train_dataloader=dict(sampler=dict(type='IESSampler'))"
        )
    if ours:
        check_replaced(cfg)
    if len(hooks) > 1:
        raise ConfigError(
            f'{" and ".join(hooks)} would both write the records of this '
            'training; keep one'
        )


def _check_present(cfg: Config, *keys: str) -> None:
    for key in keys:
        if cfg.get(key) is None:
            raise ConfigError(
                f'{key} is missing; a selection hook needs a training'
            )


def _unknown(cfg: Config) -> str:
    """Hooks of no known type, of which one may be meant."""
    hooks = (cfg.get('default_hooks') or {}).items()
    scope = cfg.get('default_scope') or 'mmengine'
    # The root registry finds a library's hooks only through its scope.
    with (
        DefaultScope.overwrite_default_scope(scope),
        HOOKS.switch_scope_and_registry(None) as registry,
    ):
        odd = [
            f'default_hooks.{name}={hook!r:.80}'
            for name, hook in hooks
            if isinstance(hook, dict) and class_of(registry, hook) is None
        ]
    return f'; not a known hook: {", ".join(odd)}' if odd else ''


def _check_transforms(cfg: Config, hook: SelectionHook) -> None:
    # The root registry finds a library's transforms only through its scope.
    with TRANSFORMS.switch_scope_and_registry(None) as transforms:
        for key, pipeline, skipped in _pipelines(cfg):
            for place, transform in _transforms(pipeline, key):
                if transform.get('type') in skipped:
                    continue
                if cls := class_of(transforms, transform):
                    name = getattr(cls, '__name__', transform['type'])
                    place = f'{place} ({name})'
                    check_transform(place, cls, hook.method, hook.mixing)


def _pipelines(cfg: Config) -> Iterator[tuple[str, Any, list]]:
    """Every training pipeline: its key, itself and the types it skips."""
    dataset = cfg.train_dataloader.dataset
    for key, part in datasets_in(dataset, 'train_dataloader.dataset'):
        skipped = part.get('skip_type_keys') or []
        yield f'{key}.pipeline', part.get('pipeline'), skipped
    for i, hook in enumerate(cfg.get('custom_hooks') or []):
        key = f'custom_hooks[{i}].switch_pipeline'
        if isinstance(hook, dict):  # MMEngine takes built hooks, too.
            yield key, hook.get('switch_pipeline'), []


def _transforms(pipeline: Any, key: str) -> Iterator[tuple[str, dict]]:
    """The transforms of a pipeline, including nested ones, by place."""
    for i, transform in enumerate(pipeline or []):
        place = f'{key}[{i}]'
        if isinstance(transform, list | tuple):  # of RandomChoice
            yield from _transforms(transform, place)
        elif isinstance(transform, dict):
            yield place, transform
            inner = transform.get('transforms')
            if isinstance(inner, dict):
                inner = [inner]
            yield from _transforms(inner, f'{place}.transforms')


def _check_classes(cfg: Config, hook: SelectionHook, scope: str) -> None:
    if not (hook.method.wants_classes or hook.method.wants_strata):
        return
    for _, leaf in datasets_in(cfg.train_dataloader.dataset, ''):
        wraps = 'dataset' in leaf or 'datasets' in leaf
        cls = dataset_class(leaf, scope)
        if not wraps and isinstance(cls, type):
            check_has_classes(cls)


def _check_model(cfg: Config, hook: SelectionHook) -> None:
    config = cfg.model
    if cfg.get('data_preprocessor') is not None:
        # As the runner does.
        preprocessor = cfg.data_preprocessor
        config = dict(data_preprocessor=preprocessor) | config
    # Models write into the dicts they are built from.
    config = copy.deepcopy(config)
    model = MODELS.build(config)
    if hook.records_losses:
        check_model(model, hook.method, hook.fallback)
    check_batch_augments(model, hook.method, hook.mixing)
