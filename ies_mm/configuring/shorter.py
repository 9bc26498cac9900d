"""Shortens a training run to a share of its length.

This is the control for every method that saves training: how good is the
plain training at the method's compute, with a schedule of that length?
Everything counted in epochs or iterations is rescaled with the training:
milestones, warm-up, the last epochs of a switched pipeline, the intervals of
validations and checkpoints. Not so the epochs of a selection hook (``begin``,
``refresh_interval``, ``scoring['interval']``): they count observations, of
which a criterion needs as many in a shorter training.
"""

import copy
from collections.abc import Callable
from typing import Any

from mmengine.config import Config

from ies_mm.errors import ConfigError

Rule = Callable[[Any, float], Any]
"""(value of the config, ratio of the lengths) -> rescaled value."""


def shorten(cfg: Config, length: float) -> Config:
    """Rescale a config's training to a share of its epochs or iterations.

    The length is rounded to a whole epoch or iteration, and everything else
    follows the rounded length, so that the learning rate ends where it did.

    Args:
        cfg (Config): A config of any OpenMMLab training.
        length (float): The share, above 0; above 1 for a longer training.

    Returns:
        Config: A copy.

    Raises:
        ConfigError: It has no length, or the share leaves less than one
            epoch or iteration.
    """
    cfg = copy.deepcopy(cfg)
    loop = cfg.get('train_cfg') or {}
    key = next((k for k in ('max_epochs', 'max_iters') if loop.get(k)), None)
    if key is None:
        raise ConfigError(
            '--length: the config has neither train_cfg.max_epochs nor '
            'train_cfg.max_iters, so it has no length of its own'
        )
    before = loop[key]
    after = _rounded(before, length)
    if after < 1:
        raise ConfigError(
            f'--length {length:g} leaves nothing of train_cfg.{key}={before}; '
            f'give {1 / before:.2g} or more'
        )
    ratio = after / before
    loop[key] = after
    interval = loop.get('val_interval', 1)
    _fit(loop, _LOOP, ratio)
    # The interval has been rescaled: it may leave the number of validations.
    validations = ratio * interval / loop.get('val_interval', 1)
    _fit_schedules(cfg.get('param_scheduler'), ratio, validations)
    for hook in _hooks(cfg):
        _fit_hook(hook, ratio)
        _fit(hook, _IN_VALIDATIONS, validations)
        if 'num_last_epochs' in hook:
            # Counted from the end, unlike the schedules.
            begin = _rounded(before - hook['num_last_epochs'], ratio)
            hook['num_last_epochs'] = after - begin
    _fit_everywhere(cfg.get('model'), ratio)
    # `ies-mm compare` recognises such a run by this.
    cfg.length = ratio * cfg.get('length', 1.0)
    return cfg


def _rounded(value: float, ratio: float) -> int:
    # round() would send halves to the even neighbour, 0.5 to 0.
    return int(value * ratio + 0.5)


def _place(value: int, ratio: float) -> int:
    """Rescale an epoch or iteration; -1 (never) and 0 (at once) stay."""
    return _rounded(value, ratio) if value > 0 else value


def _distance(value: int, ratio: float) -> int:
    """Rescale an interval of epochs or iterations to at least 1."""
    return max(1, _rounded(value, ratio)) if value > 0 else value


def _places(values: list[int], ratio: float) -> list[int]:
    # At milestone 0 the rate would drop before the first step.
    return [max(1, _place(value, ratio)) for value in values]


def _power(value: float, ratio: float) -> float:
    """Rescale a per-epoch factor so that its total effect is the same."""
    return float(value ** (1 / ratio))


def _milestones(values: list, ratio: float) -> list:
    return [
        (_place(begin, ratio), _distance(interval, ratio))
        for begin, interval in values
    ]


_LOOP: dict[str, Rule] = {
    'val_begin': _distance,
    'val_interval': _distance,
    'dynamic_intervals': _milestones,
}
_SCHEDULE: dict[str, Rule] = {
    'milestones': _places,
    'step_size': _distance,
    'periods': _places,
}
_IN_VALIDATIONS: dict[str, Rule] = {
    'patience': _distance,
    'cooldown': _place,
}
"""Of EarlyStoppingHook and ReduceOnPlateau, which count validations."""
_HOOK: dict[str, Rule] = {
    'switch_epoch': _place,
    'begin_epoch': _place,
    'begin_iter': _place,
    'save_begin': _place,
    'start_iters': _place,
    'warmup_epochs': _place,
    'epoch_queue_starts': _place,
    'action_epoch': _place,
}
_MODEL: dict[str, Rule] = {
    'initial_epoch': _place,
    'update_iter_interval': _distance,
    'warmup_iters': _distance,
}
"""TOOD's initial epochs, Dynamic R-CNN's interval, BoxInst's warm-up."""
_UNWRITTEN = {'BoxInstMaskHead': dict(warmup_iters=10000)}
"""Defaults of constructors that stock configs do not write out."""


def _fit(part: Any, rules: dict[str, Rule], ratio: float) -> None:
    for key, rule in rules.items():
        # A hook of one's own may mean something else by the name.
        if isinstance(part.get(key), int | float | list | tuple):
            part[key] = rule(part[key], ratio)


def _name(part: Any) -> str:
    """The class that a part names, without the registry's scope."""
    kind = part.get('type')
    name = kind if isinstance(kind, str) else getattr(kind, '__name__', '')
    return name.rpartition('.')[2]


def _fit_schedules(schedules: Any, ratio: float, validations: float) -> None:
    if isinstance(schedules, list | tuple):
        for schedule in schedules:
            _fit_schedules(schedule, ratio, validations)
    elif isinstance(schedules, dict) and 'type' in schedules:
        _fit_schedule(schedules, ratio)
        _fit(schedules, _IN_VALIDATIONS, validations)
    elif isinstance(schedules, dict):  # one for each optimiser
        _fit_schedules([*schedules.values()], ratio, validations)


def _fit_schedule(schedule: Any, ratio: float) -> None:
    begin, end = schedule.get('begin', 0), schedule.get('end')
    for key in ('T_max', 'total_steps'):
        if schedule.get(key) is not None and begin + schedule[key] == end:
            # Begin and end are rounded separately.
            span = _rounded(end, ratio) - _rounded(begin, ratio)
            schedule[key] = max(1, span)
        elif schedule.get(key) is not None:
            schedule[key] = _distance(schedule[key], ratio)
    for key in ('begin', 'end'):
        if key in schedule:
            schedule[key] = _place(schedule[key], ratio)
    if 'end' in schedule:
        # MMEngine refuses a schedule that ends where it begins.
        schedule['end'] = max(schedule['end'], schedule.get('begin', 0) + 1)
    # Its gamma applies once per epoch or iteration, whose number changes.
    if 'Exponential' in _name(schedule):
        schedule['gamma'] = _power(schedule['gamma'], ratio)
    _fit(schedule, _SCHEDULE, ratio)


def _hooks(cfg: Config) -> list[Any]:
    hooks = [*(cfg.get('default_hooks') or {}).values()]
    hooks += cfg.get('custom_hooks') or []
    return [hook for hook in hooks if isinstance(hook, dict)]


def _fit_hook(hook: Any, ratio: float) -> None:
    _fit(hook, _HOOK, ratio)
    name = _name(hook)
    if name.endswith('CheckpointHook') and 'interval' in hook:
        hook['interval'] = _distance(hook['interval'], ratio)
    # ExpMomentumEMA's gamma is a warm-up in iterations.
    if 'EMAHook' in name and 'gamma' in hook:
        hook['gamma'] = _distance(hook['gamma'], ratio)
    # mmpretrain's; its stages.
    if name == 'SwitchRecipeHook':
        for stage in hook['schedule']:
            _fit(stage, _HOOK, ratio)


def _fit_everywhere(part: Any, ratio: float) -> None:
    if isinstance(part, dict):
        for key, value in _UNWRITTEN.get(_name(part), {}).items():
            part.setdefault(key, value)
        _fit(part, _MODEL, ratio)
        part = list(part.values())
    if isinstance(part, list | tuple):
        for inner in part:
            _fit_everywhere(inner, ratio)
