"""Checks of a config before anything is built or written."""

import copy

from mmengine.config import Config
from mmengine.registry import (
    DATA_SAMPLERS,
    HOOKS,
    MODELS,
    RUNNERS,
    DefaultScope,
)
from mmengine.runner import Runner

from ies_mm.configuring.files import check_files
from ies_mm.configuring.others import check_others, made
from ies_mm.configuring.pipelines import switched_augments, transforms_in
from ies_mm.configuring.reading import (
    class_of,
    dataset_class,
    datasets_in,
    hooks_in,
    in_scope,
    is_a,
    scope_of,
    selection_hooks,
)
from ies_mm.configuring.shape import check_shape
from ies_mm.errors import ConfigError
from ies_mm.labels.place import check_place
from ies_mm.spelling import did_you_mean
from ies_mm.training.data.identity import check_has_classes
from ies_mm.training.data.replaced_sampler import check_replaced
from ies_mm.training.data.sampler import NEEDS_A_HOOK, OURS, IESSampler
from ies_mm.training.hook.refusals import (
    check_augments,
    check_batch_augments,
    check_transform,
)
from ies_mm.training.hook.selection_hook import SelectionHook
from ies_mm.training.hook.supported_model import check_model


def check_config(cfg: Config) -> None:
    """Reject a config that cannot train, before anything is built.

    ``ies-mm train`` calls it; in your own train.py, call it before
    ``Runner.from_cfg(cfg)``. Without it, the hook makes most of these checks
    before the first step; MMEngine reports missing data and unknown arguments
    of a hook.

    Args:
        cfg (Config): A training config, with or without a selection hook.

    Raises:
        ConfigError: Names the key, what was found and what to do.
    """
    check_shape(cfg)
    hooks = dict(selection_hooks(cfg))
    built: list[SelectionHook] = [
        made(key, class_of(HOOKS, hook), hook) for key, hook in hooks.items()
    ]
    check_others(cfg)
    _check_pair(cfg, hooks)
    check_place(cfg)
    check_files(cfg, 'train_dataloader', 'val_dataloader')
    if hooks:
        _check_present(cfg, 'model', 'train_dataloader')
        _check_runner(cfg)
        _check_transforms(cfg, built[0])
        _check_classes(cfg, built[0])
        with DefaultScope.overwrite_default_scope(scope_of(cfg)):
            _check_model(cfg, built[0])


def _check_pair(cfg: Config, hooks: dict[str, dict]) -> None:
    sampler = (cfg.get('train_dataloader') or {}).get('sampler')
    ours = is_a(DATA_SAMPLERS, sampler, IESSampler)
    if ours and not hooks:
        raise ConfigError(_misspelt(cfg) or NEEDS_A_HOOK)
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
            'run; keep one'
        )


def _check_present(cfg: Config, *keys: str) -> None:
    for key in keys:
        if cfg.get(key) is None:
            raise ConfigError(
                f'{key} is missing, and a selection hook needs it'
            )


def _check_runner(cfg: Config) -> None:
    """Refuse MMEngine's FlexibleRunner, whose strategies may shard a model."""
    kind = cfg.get('runner_type')
    cls = RUNNERS.get(kind) if isinstance(kind, str) else kind
    if isinstance(cls, type) and not issubclass(cls, Runner):
        raise ConfigError(
            f"runner_type={kind!r}: selection hooks need MMEngine's Runner; "
            'remove runner_type and strategy, or train without the hook'
        )


def _misspelt(cfg: Config) -> str:
    """What is wrong if a hook of no known type may be the one meant."""
    with in_scope(scope_of(cfg), HOOKS) as registry:
        for key, hook in hooks_in(cfg):
            if class_of(registry, hook) is None:
                kind = hook.get('type')
                return (
                    f'{OURS} needs a selection hook, and {key}.type={kind!r} '
                    'is not a known hook'
                    f'{did_you_mean(str(kind), HOOKS.module_dict)}'
                )
    return ''


def _check_transforms(cfg: Config, hook: SelectionHook) -> None:
    for place, cls in transforms_in(cfg):
        check_transform(place, cls, hook.method, hook.mixing)
    for place, names in switched_augments(cfg):
        check_augments(place, names, hook.method, hook.mixing)


def _check_classes(cfg: Config, hook: SelectionHook) -> None:
    if not (hook.method.wants_classes or hook.method.wants_strata):
        return
    for _, leaf in datasets_in(cfg.train_dataloader.dataset, ''):
        wraps = 'dataset' in leaf or 'datasets' in leaf
        cls = dataset_class(leaf, scope_of(cfg))
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
