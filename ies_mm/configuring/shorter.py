"""Shortens a training run to a share of its length.

This is the control for every method that saves training: how good is the
plain training at the method's compute, with a schedule of that length?
Everything counted in epochs or iterations is rescaled with the training:
milestones, warm-up, the last epochs of a switched pipeline, the intervals of
validations and checkpoints. Not so the epochs of a selection hook (``begin``,
``refresh_interval`` and the ``cap`` of ``Spaced``, ``scoring['interval']``,
DIHCL's ``warmup`` and ``factor``): most count observations, of which a
criterion needs as many in a shorter training.
"""

import copy
from typing import Any

from mmengine.config import Config

from ies_mm.configuring.reading import hooks_in, type_name
from ies_mm.configuring.rescaling import (
    Lengths,
    Rule,
    distance,
    fit,
    place,
    rounded,
)
from ies_mm.configuring.schedules import fit_schedules, schedules_in
from ies_mm.configuring.timed_hooks import fit_hook
from ies_mm.errors import ConfigError
from ies_mm.report.reading.methods import LENGTH, length_of


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
    after = rounded(before, length)
    if after < 1:
        raise ConfigError(
            f'--length {length:g} leaves nothing of train_cfg.{key}={before}; '
            f'give {1 / before:.2g} or more'
        )
    lengths = Lengths(before, after, by_epoch=key == 'max_epochs')
    ratio = lengths.ratio
    # `ies-mm compare` recognises such a run by this.
    cfg[LENGTH] = ratio * length_of(cfg)
    loop[key] = after
    interval = loop.get('val_interval', 1)
    _fit_loop(loop, lengths)
    # The interval has been rescaled: it may leave the number of validations.
    validations = ratio * interval / loop.get('val_interval', 1)
    if cfg.get('param_scheduler') is not None:
        cfg.param_scheduler = fit_schedules(cfg.param_scheduler, lengths)
    for schedule in schedules_in(cfg.get('param_scheduler')):
        fit(schedule, _IN_VALIDATIONS, validations)
    for _, hook in hooks_in(cfg):
        fit_hook(hook, lengths)
        fit(hook, _IN_VALIDATIONS, validations)
    _fit_everywhere(cfg.get('model'), ratio)
    return cfg


def _fit_loop(loop: Any, lengths: Lengths) -> None:
    begin = loop.get('val_begin', 1)
    fit(loop, _LOOP, lengths.ratio)
    if begin > lengths.before:  # never
        loop['val_begin'] = max(loop['val_begin'], lengths.after + 1)


def _dynamic(values: list, ratio: float) -> list:
    # An interval applies from the step of that number, counted from 1.
    return [
        (place(begin - 1, ratio) + 1, distance(interval, ratio))
        for begin, interval in values
    ]


_LOOP: dict[str, Rule] = {
    'val_begin': distance,
    'val_interval': distance,
    'dynamic_intervals': _dynamic,
}
_IN_VALIDATIONS: dict[str, Rule] = {
    'patience': distance,
    'cooldown': place,
}
"""Arguments of EarlyStoppingHook and ReduceOnPlateau, in validations."""
_MODEL: dict[str, Rule] = {
    'initial_epoch': place,
    'update_iter_interval': distance,
    'warmup_iters': distance,
}
"""TOOD's initial epochs, Dynamic R-CNN's interval, BoxInst's warm-up."""
_UNWRITTEN = {'BoxInstMaskHead': dict(warmup_iters=10000)}
"""Defaults of constructors that stock configs do not write out."""


def _fit_everywhere(part: Any, ratio: float) -> None:
    if isinstance(part, dict):
        for key, value in _UNWRITTEN.get(type_name(part), {}).items():
            part.setdefault(key, value)
        fit(part, _MODEL, ratio)
        part = list(part.values())
    if isinstance(part, list | tuple):
        for inner in part:
            _fit_everywhere(inner, ratio)
