"""Makes a shipped config's model cheap without changing its losses.

Removed: pretrained weights (no network), batch augmentations (one loss for
several images), activation checkpoints, synchronised BatchNorm, most sampled
RoIs and queries, three quarters of a ResNet's channels.
Kept: every layer and every loss. The forward is cheap because the images are
small.
"""

import copy
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.dist import is_distributed
from mmengine.logging import MessageHub
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, init_default_scope
from mmengine.utils import import_modules_from_strings
from torch import nn

from coverage_checks.listed import Family, config_root

# Config keys that name a weights file.
_WEIGHTS = ('pretrained', 'checkpoint', 'teacher_ckpt', 'load_from')
# RoIs per image and queries: a large part of a forward on small images.
_MOST = {
    'num': 16,
    'num_queries': 40,
    'num_proposals': 40,
    'sos_token_num': 40,
}
_BATCH_AUGMENTS = ('batch_augments', 'augments')
# Factor to narrow a ResNet whose outputs only a neck reads: its layers take
# most of a step, but are not part of a loss.
_NARROWER = 4


def load(family: Family) -> Config:
    """A family's config, with a reduced model."""
    cfg = Config.fromfile(family.path)
    if 'model' not in cfg:
        raise NotImplementedError('the config has no model')
    cfg.merge_from_dict(dict(model=copy.deepcopy(family.changes)))
    if 'data_preprocessor' in cfg:
        cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
    model = reduced(cfg.model.to_dict(), family.library)
    cfg.model = ConfigDict(model if family.wide else narrowed(model))
    return cfg


def build(cfg: Config, family: Family) -> nn.Module:
    """The model with random weights, as in the middle of training."""
    if cfg.get('custom_imports'):
        import_modules_from_strings(**cfg.custom_imports)
    init_default_scope(cfg.get('default_scope') or family.library)
    model: Any = MODELS.build(copy.deepcopy(cfg.model))
    if is_distributed():
        # SyncBN does not run on a CPU.
        model = revert_sync_batchnorm(model)
    model.init_weights()
    # Some losses change in the course of training.
    for key, number in family.progress.items():
        MessageHub.get_current_instance().update_info(key, number)
    for name, value in family.attributes.items():
        owner, _, attribute = name.rpartition('.')
        setattr(model.get_submodule(owner), attribute, value)
    if family.precise:
        _compute_features_in_float64(model)
    return model.train()


def _compute_features_in_float64(model: Any) -> None:
    for part in (model.backbone, model.neck):
        part.double()
    model.backbone.register_forward_pre_hook(_inputs_to_float64)
    model.neck.register_forward_hook(_outputs_to_float32)


def _inputs_to_float64(module: nn.Module, inputs: tuple) -> tuple:
    return tuple(value.double() for value in inputs)


def _outputs_to_float32(module: nn.Module, inputs: Any, outputs: tuple) -> Any:
    return tuple(value.float() for value in outputs)


def reduced(config: Any, library: str) -> Any:
    """A copy of a model's config without what is costly or downloaded."""
    if isinstance(config, dict):
        return {
            key: _value(key, value, library)
            for key, value in config.items()
            if not _loads_weights(key, value)
        }
    if isinstance(config, list | tuple):
        kept = [reduced(value, library) for value in config]
        return kept if isinstance(config, list) else tuple(kept)
    return config


def narrowed(model: dict[str, Any]) -> dict[str, Any]:
    """A model's config with a narrow ResNet, if a neck reads its outputs."""
    backbone: Any = model.get('backbone')
    neck: Any = model.get('neck')
    first = neck[0] if isinstance(neck, list) else neck
    if not first or not _is_wide(backbone, first):
        return model
    backbone['base_channels'] = 64 // _NARROWER
    channels = first['in_channels']
    first['in_channels'] = [wide // _NARROWER for wide in channels]
    return model


def _is_wide(backbone: Any, neck: dict[str, Any]) -> bool:
    channels = neck.get('in_channels')
    groups = (backbone.get('norm_cfg') or {}).get('type') == 'GN'
    return (
        backbone['type'] == 'ResNet'
        and not groups  # 32 groups need 32 channels
        and isinstance(channels, list)
        and max(channels) == 2048
    )


def _value(key: str, value: Any, library: str) -> Any:
    if key in _WEIGHTS and isinstance(value, str):
        return None
    if key in _BATCH_AUGMENTS or key == 'with_cp':
        return None if key in _BATCH_AUGMENTS else False
    if key == 'type' and value in ('SyncBN', 'MMSyncBN'):
        return 'BN'
    if key in _MOST and isinstance(value, int):
        return min(value, _MOST[key])
    if key == 'teacher_config':
        # The path is relative to the root of the library's sources.
        return str(config_root(library) / Path(value).relative_to('configs'))
    return reduced(value, library)


def _loads_weights(key: str, value: Any) -> bool:
    several = value if isinstance(value, list | tuple) else [value]
    return key == 'init_cfg' and any(
        isinstance(init, dict) and init.get('type') == 'Pretrained'
        for init in several
    )
