"""The transforms and batch augments that a config names."""

from collections.abc import Iterator
from typing import Any

from mmengine.config import Config
from mmengine.registry import TRANSFORMS

from ies_mm.configuring.reading import (
    class_of,
    datasets_in,
    hooks_in,
    in_scope,
    scope_of,
)
from ies_mm.training.data.mixing_transforms import mixes


def transforms_in(cfg: Config, switched: bool = True) -> list[tuple[str, Any]]:
    """The transforms of the training.

    Args:
        cfg (Config): A training config.
        switched (bool): Whether to include the pipelines that hooks switch
            to. Defaults to True.

    Returns:
        list of tuple: The place of a transform in the config, and its class.
    """
    pipelines, found = [*_of_datasets(cfg)], []
    if switched:
        pipelines += _of_hooks(cfg)
    with in_scope(scope_of(cfg), TRANSFORMS) as registry:
        for key, pipeline, skipped in pipelines:
            for place, transform in _nested(pipeline, key):
                cls = class_of(registry, transform)
                if cls and transform.get('type') not in skipped:
                    name = getattr(cls, '__name__', transform['type'])
                    found.append((f'{place} ({name})', cls))
    return found


def switched_augments(cfg: Config) -> Iterator[tuple[str, list[str]]]:
    """Batch augments that mmpretrain's SwitchRecipeHook switches to.

    Yields:
        tuple: Their place in the config, and the names of their types.
    """
    for key, stage in _stages(cfg):
        if names := _types_of(stage.get('batch_augments')):
            yield f'{key}.batch_augments', names


def mixes_at_first(cfg: Config) -> bool:
    """Whether the first epoch trains on images that are mixed."""
    if any(mixes(cls) for _, cls in transforms_in(cfg, switched=False)):
        return True
    model = cfg.get('model') or {}
    preprocessor = cfg.get('data_preprocessor') or {}
    of_model = model.get('data_preprocessor') or {}
    augments = [
        (model.get('train_cfg') or {}).get('augments'),
        preprocessor.get('batch_augments'),
        of_model.get('batch_augments'),
    ]
    return any(_types_of(some) for some in augments)


def _of_datasets(cfg: Config) -> Iterator[tuple[str, Any, list]]:
    """Every dataset's pipeline: its key, itself and the types it skips."""
    dataset = (cfg.get('train_dataloader') or {}).get('dataset')
    for key, part in datasets_in(dataset, 'train_dataloader.dataset'):
        skipped = part.get('skip_type_keys') or []
        yield f'{key}.pipeline', part.get('pipeline'), skipped


def _of_hooks(cfg: Config) -> Iterator[tuple[str, Any, list]]:
    """Every pipeline that a hook switches to."""
    for key, hook in hooks_in(cfg):
        yield f'{key}.switch_pipeline', hook.get('switch_pipeline'), []
    for key, stage in _stages(cfg):
        yield f'{key}.train_pipeline', stage.get('train_pipeline'), []


def _stages(cfg: Config) -> Iterator[tuple[str, dict]]:
    for key, hook in hooks_in(cfg):
        stages = hook.get('schedule')
        for i, stage in enumerate(stages if isinstance(stages, list) else []):
            if isinstance(stage, dict):
                yield f'{key}.schedule[{i}]', stage


def _nested(pipeline: Any, key: str) -> Iterator[tuple[str, dict]]:
    """The transforms of a pipeline, including nested ones, by place."""
    for i, transform in enumerate(pipeline or []):
        place = f'{key}[{i}]'
        if isinstance(transform, list | tuple):  # of RandomChoice
            yield from _nested(transform, place)
        elif isinstance(transform, dict):
            yield place, transform
            inner = transform.get('transforms')
            if isinstance(inner, dict):
                inner = [inner]
            yield from _nested(inner, f'{place}.transforms')


def _types_of(augments: Any) -> list[str]:
    """Names of the types in a config of batch augments.

    Args:
        augments (Any): A dict of RandomBatchAugment, an augment or several;
            objects have none.
    """
    if isinstance(augments, dict):
        augments = augments.get('augments', augments)
    several = augments if isinstance(augments, list | tuple) else [augments]
    # mmpretrain's None does nothing, with the rest of the chance.
    return [
        str(one['type'])
        for one in several
        if isinstance(one, dict) and 'type' in one
    ]
