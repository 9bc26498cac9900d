"""Checks of a config before anything is built or written."""

import copy
from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import (
    DATA_SAMPLERS,
    DATASETS,
    HOOKS,
    MODELS,
    TRANSFORMS,
    DefaultScope,
)

from ies_mm.errors import ConfigError
from ies_mm.labels.place import check_place
from ies_mm.training.data.identity import check_has_classes
from ies_mm.training.data.replaced_sampler import check_replaced
from ies_mm.training.data.sampler import NEEDS_A_HOOK, IESSampler
from ies_mm.training.hook.common_arguments import taken_by
from ies_mm.training.hook.refusals import check_batch_augments, check_transform
from ies_mm.training.hook.selection_hook import SelectionHook
from ies_mm.training.hook.supported_model import check_model

OF_MMENGINE = ('type', 'priority', '_scope_')
"""Keys of a hook's dict that MMEngine reads itself."""


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
    hooks = dict(selection_hooks(cfg))
    built = [_check_hook(key, hook) for key, hook in hooks.items()]
    _check_pair(cfg, hooks)
    check_place(cfg)
    check_files(cfg, 'train_dataloader', 'val_dataloader')
    if hooks:
        scope = cfg.get('default_scope') or 'mmengine'
        with DefaultScope.overwrite_default_scope(scope):
            _check_transforms(cfg, built[0])
            _check_classes(cfg, built[0], scope)
            _check_model(cfg, built[0])


def check_files(cfg: Config, *loaders: str) -> None:
    """Reject datasets whose annotation file or folder is missing.

    Raises:
        ConfigError: Names the path and how to obtain the data.
    """
    scope = cfg.get('default_scope') or 'mmengine'
    for loader in loaders:
        dataset = (cfg.get(loader) or {}).get('dataset')
        for key, leaf in _leaves(dataset, f'{loader}.dataset'):
            path = _annotation_file(leaf) or _folder(leaf, scope)
            if path is not None and not path.exists():
                raise ConfigError(
                    f'{key}: looked for {path}, which is not there; '
                    f'{_how_to_get(path)}'
                )


def selection_hooks(cfg: Config) -> Iterator[tuple[str, dict]]:
    """The selection hooks of a config, each with its key."""
    for name, hook in (cfg.get('default_hooks') or {}).items():
        if _is(HOOKS, hook, SelectionHook):
            yield f'default_hooks.{name}', hook
    for i, hook in enumerate(cfg.get('custom_hooks') or []):
        if _is(HOOKS, hook, SelectionHook):
            yield f'custom_hooks[{i}]', hook


def _check_hook(key: str, hook: dict) -> SelectionHook:
    arguments = {k: v for k, v in hook.items() if k not in OF_MMENGINE}
    cls = _class(HOOKS, hook)
    try:
        return cls(**arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(f'{key}: {_reason(cls, error)}') from error


def _reason(hook: type, error: Exception) -> str:
    """Why a hook cannot be made; Python does not say what it takes."""
    reason, name = str(error), hook.__name__
    if reason.startswith(f'{name}.__init__()'):
        reason = reason.replace(f'{name}.__init__()', name)
        reason += f'; it takes {", ".join(taken_by(hook))}'
    if reason.startswith(f'{name} got an unexpected'):
        reason += ". _delete_=True drops the arguments of the base's hook"
    return reason


def _check_pair(cfg: Config, hooks: dict[str, dict]) -> None:
    sampler = (cfg.get('train_dataloader') or {}).get('sampler')
    ours = _is(DATA_SAMPLERS, sampler, IESSampler)
    if ours and not hooks:
        raise ConfigError(NEEDS_A_HOOK)
    for key, hook in hooks.items():
        if ours or not _class(HOOKS, hook).needs_sampler:
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


def _check_transforms(cfg: Config, hook: SelectionHook) -> None:
    # The root registry finds a library's transforms only through its scope.
    with TRANSFORMS.switch_scope_and_registry(None) as transforms:
        for key, pipeline, skipped in _pipelines(cfg):
            for place, transform in _transforms(pipeline, key):
                if transform.get('type') in skipped:
                    continue
                if cls := _class(transforms, transform):
                    name = getattr(cls, '__name__', transform['type'])
                    place = f'{place} ({name})'
                    check_transform(place, cls, hook.method, hook.mixing)


def _pipelines(cfg: Config) -> Iterator[tuple[str, Any, list]]:
    """Every training pipeline: its key, itself and the types it skips."""
    dataset = cfg.train_dataloader.dataset
    for key, part in _leaves(dataset, 'train_dataloader.dataset'):
        skipped = part.get('skip_type_keys') or []
        yield f'{key}.pipeline', part.get('pipeline'), skipped
    for i, hook in enumerate(cfg.get('custom_hooks') or []):
        key = f'custom_hooks[{i}].switch_pipeline'
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
    for _, leaf in _leaves(cfg.train_dataloader.dataset, ''):
        wraps = 'dataset' in leaf or 'datasets' in leaf
        cls = _dataset_class(leaf, scope)
        if not wraps and isinstance(cls, type):
            check_has_classes(cls)


def _check_model(cfg: Config, hook: SelectionHook) -> None:
    # Two-stage detectors write into the nested dicts they are built from.
    config = copy.deepcopy(cfg.model)
    if cfg.get('data_preprocessor') is not None:
        # As the runner does.
        config.setdefault('data_preprocessor', cfg.data_preprocessor)
    model = MODELS.build(config)
    if hook.records_losses:
        check_model(model, hook.method, hook.fallback)
    check_batch_augments(model, hook.method, hook.mixing)


def _leaves(dataset: Any, key: str) -> Iterator[tuple[str, dict]]:
    if not isinstance(dataset, dict):
        return
    yield key, dataset
    yield from _leaves(dataset.get('dataset'), f'{key}.dataset')
    for i, part in enumerate(dataset.get('datasets') or []):
        yield from _leaves(part, f'{key}.datasets[{i}]')


def _annotation_file(leaf: dict) -> Path | None:
    name = leaf.get('ann_file')
    # Path.exists knows only the local file system.
    remote = leaf.get('backend_args') is not None
    if not isinstance(name, str) or not name or remote or '://' in name:
        return None
    return Path(leaf.get('data_root') or '', name)


def _folder(leaf: dict, scope: str) -> Path | None:
    """The folder of a dataset that reads folders without downloading."""
    root = leaf.get('data_root')
    remote = leaf.get('backend_args') is not None
    if leaf.get('ann_file') or not isinstance(root, str) or remote:
        return None
    cls = _dataset_class(leaf, scope)
    if cls is None or '://' in root:
        return None
    return None if 'download' in signature(cls).parameters else Path(root)


def _how_to_get(path: Path) -> str:
    root, devkit, _ = str(path).partition('/VOCdevkit/')
    if Path(root) == Path('data', 'demo'):
        return '`ies-mm demo` makes these images'
    for year in ('2007', '2012'):
        if devkit and f'VOC{year}' in path.parts:
            return (
                f'`ies-mm get-voc {year} --root {root}` fetches it there '
                '(`ies-mm demo` needs no download: it makes its own images)'
            )
    return 'set data_root (and ann_file) to where the dataset is'


def _is(registry: Any, config: Any, base: type) -> bool:
    cls = _class(registry, config)
    return isinstance(cls, type) and issubclass(cls, base)


def _dataset_class(leaf: dict, scope: str) -> Any:
    with (
        DefaultScope.overwrite_default_scope(scope),
        DATASETS.switch_scope_and_registry(None) as datasets,
    ):
        return _class(datasets, leaf)


def _class(registry: Any, config: Any) -> Any:
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
