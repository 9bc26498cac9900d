"""Rescales the hooks that act at epochs or iterations of a training."""

from typing import Any

from ies_mm.configuring.reading import type_name
from ies_mm.configuring.rescaling import (
    Lengths,
    Rule,
    distance,
    fit,
    place,
    spread,
)

_RULES: dict[str, Rule] = {
    'begin_epoch': place,
    'begin_iter': place,
    'save_begin': place,
    'start_iters': place,
    # mmpretrain's WarmupParamHook divides by it.
    'warmup_epochs': distance,
    'epoch_queue_starts': place,
}
_UNWRITTEN = {'ExpMomentumEMA': 2000, 'MomentumAnnealingEMA': 100}
"""Default of ``gamma``, a warm-up in iterations, by ``ema_type``."""


def fit_hook(hook: Any, lengths: Lengths) -> None:
    """Rescale a hook, in place.

    Args:
        hook (dict): Its config.
        lengths (Lengths): Lengths of the training.
    """
    ratio, name = lengths.ratio, type_name(hook)
    fit(hook, _RULES, ratio)
    _fit_switch(hook, lengths)
    if name.endswith('CheckpointHook') and 'interval' in hook:
        hook['interval'] = distance(hook['interval'], ratio)
    if 'EMAHook' in name:
        _fit_average(hook, ratio)
    if name == 'SwitchRecipeHook':
        _fit_stages(hook['schedule'], lengths)
    if name == 'SwAVHook':
        frozen = hook.get('frozen_layers_cfg') or {}
        fit(frozen, dict.fromkeys(frozen, distance), ratio)


def _fit_average(hook: Any, ratio: float) -> None:
    gamma = _UNWRITTEN.get(type_name({'type': hook.get('ema_type')}))
    if gamma is not None:
        hook.setdefault('gamma', gamma)
    fit(hook, {'gamma': distance}, ratio)


def _fit_switch(hook: Any, lengths: Lengths) -> None:
    """Rescale the switch of a pipeline, which leaves an epoch after it."""
    epoch, last = hook.get('switch_epoch'), hook.get('num_last_epochs')
    if isinstance(epoch, int):
        hook['switch_epoch'] = _switch(epoch, lengths)
    if isinstance(last, int) and lengths.by_epoch:
        # Counted from the end, unlike the schedules.
        begin = _switch(lengths.before - last, lengths)
        hook['num_last_epochs'] = lengths.after - begin


def _switch(epoch: int, lengths: Lengths) -> int:
    [found] = spread([epoch], lengths.ratio, lengths.in_epochs)
    return found


def _fit_stages(stages: list[Any], lengths: Lengths) -> None:
    """Rescale a recipe's stages, which count epochs from 1."""
    stages.sort(key=lambda stage: stage['action_epoch'])
    before = [stage['action_epoch'] - 1 for stage in stages]
    after = spread(before, lengths.ratio, lengths.in_epochs)
    fitted: dict[int, dict] = {}
    for stage, trained in zip(stages, after, strict=True):
        # Without room for both, one does what they did: the hook refuses two.
        for key, value in fitted.get(trained, {}).items():
            stage.setdefault(key, value)
        stage['action_epoch'] = trained + 1
        fitted[trained] = stage
    stages[:] = fitted.values()
