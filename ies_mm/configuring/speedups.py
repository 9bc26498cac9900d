"""The settings with which each method reaches a speed-up (IES, appendix F).

The speed-up is that of the compute, in units of training steps: a run that is
2 times as fast computes half of what the full training does, scoring included.
Loading, validation and saving are not counted.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ies_mm.core.arguments import check_number
from ies_mm.core.budget import MOST_LEFT_OUT
from ies_mm.errors import ConfigError
from ies_mm.methods.dihcl.rule import budget
from ies_mm.methods.efficient_train.rule import PUBLISHED

FORWARD = 1 / 3
"""Cost of scoring an image, relative to training on it.

A backward pass computes about twice as much as a forward pass. Measured ratios
are in docs/performance.md.
"""

ALSO_SCORED = ('IESHook', 'SoftIESHook')
"""Hooks for which passes over all images are counted."""

Hook = Mapping[str, Any]
Solver = Callable[[float, float, Hook], dict[str, Any]]


def arguments_for(hook: Hook, speedup: float, epochs: float) -> dict[str, Any]:
    """The arguments of a hook that reach a speed-up.

    Args:
        hook (dict): The hook's config: its type and its other arguments.
        speedup (float): Compute of the full training over that of the run,
            above 1.
        epochs (float): Length of the training.

    Returns:
        dict: Arguments to set; None removes one.

    Raises:
        ConfigError: The method cannot reach it, or has no such setting.
    """
    check_number('speedup', speedup, 1)
    name = str(hook['type'])
    if hook.get('observe') == 'scoring' and name not in ALSO_SCORED:
        raise ConfigError(
            f"--speedup cannot set {name} with observe='scoring'; leave "
            'observe out, or set the arguments of the hook'
        )
    if name not in _SOLVERS:
        raise ConfigError(
            f'{name} cannot be set to a speed-up; there are '
            f'{", ".join(_SOLVERS)}'
        )
    return _SOLVERS[name](speedup, epochs, hook)


def saved_for(speedup: float, pruned: int = 0, everything: int = 0) -> float:
    """The share of the training to save.

    Args:
        speedup (float): See :func:`arguments_for`.
        pruned (int): Epochs between two scoring passes over the pruned
            images. Defaults to 0, no scoring.
        everything (int): Epochs between two scoring passes over all images.
            Defaults to 0, no scoring.

    Raises:
        ConfigError: It is more than a method can save.
    """
    # A pruned image costs FORWARD in every pruned-th epoch, a kept one 1.
    gained = 1 - FORWARD / pruned if pruned else 1.0
    paid = FORWARD / everything if everything else 0.0
    saved = (1 - 1 / speedup + paid) / gained
    if saved > MOST_LEFT_OUT:
        most = 1 / (1 + paid - MOST_LEFT_OUT * gained)
        raise _too_fast(speedup, most, 'an epoch keeps a tenth of the images')
    return saved


def _ies(speedup: float, epochs: float, hook: Hook) -> dict[str, Any]:
    if every := _scored_every(hook):
        return dict(saved=saved_for(speedup, everything=every), delta=None)
    again = hook.get('refresh_interval')
    if again is None and hook.get('delta') is not None:
        again = 1
    if isinstance(again, int):
        saved = saved_for(speedup, again)
        budget_of = dict(type='Budget', saved=saved)
        return dict(delta=budget_of, refresh_interval=again, saved=None)
    if again is not None and again.get('by') != 'training':
        raise ConfigError(
            f'refresh_interval={again!r}: how much is scored depends on the '
            "training; give a number, or Spaced with by='training'"
        )
    return dict(saved=saved_for(speedup), delta=None)


def _soft_ies(speedup: float, epochs: float, hook: Hook) -> dict[str, Any]:
    return dict(saved=saved_for(speedup, everything=_scored_every(hook)))


def _scored_every(hook: Hook) -> int:
    """Epochs between two passes over all images; 0 without such passes.

    Raises:
        ConfigError: The interval is not given; the default depends on whether
            the training mixes images.
    """
    if hook.get('observe') != 'scoring':
        return 0
    interval: int | None = (hook.get('scoring') or {}).get('interval')
    if interval is None:
        raise ConfigError(
            "--speedup counts the passes of observe='scoring': give "
            'scoring=dict(interval=...)'
        )
    return interval


def _random(speedup: float, epochs: float, hook: Hook) -> dict[str, Any]:
    return dict(saved=saved_for(speedup), ratio=None)


def _orderdp(speedup: float, epochs: float, hook: Hook) -> dict[str, Any]:
    return dict(saved=saved_for(speedup))


def _selective(speedup: float, epochs: float, hook: Hook) -> dict[str, Any]:
    # Every image is scored, and the chosen ones are trained in addition.
    trained = 1 / speedup - FORWARD
    if trained <= 0:
        raise _too_fast(
            speedup, 1 / FORWARD, 'it scores every image of every batch'
        )
    # An image is chosen by the beta-th power of its rank among the recent
    # losses, of which the mean is 1 / (beta + 1).
    return dict(beta=1 / trained - 1)


def _dihcl(speedup: float, epochs: float, hook: Hook) -> dict[str, Any]:
    warmup = max(1, round(epochs / 20))
    factor = float(hook.get('factor', 0.9))

    def trained(end: float) -> float:
        after = range(int(epochs) - warmup)
        return warmup + sum(budget(k, 1.0, factor, end) for k in after)

    least = trained(0.0)
    if least > epochs / speedup:
        raise _too_fast(
            speedup,
            epochs / least,
            f'factor={factor:g} shrinks its budget too slowly in '
            f'{epochs:g} epochs',
        )
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        less = trained(middle) < epochs / speedup
        low, high = (middle, high) if less else (low, middle)
    return dict(warmup=warmup, start=1.0, factor=factor, end=low)


def _efficient(speedup: float, epochs: float, hook: Hook) -> dict[str, Any]:
    """EfficientTrain's parts, with smaller images.

    Three fifths of the epochs at a side of ``a``, one fifth halfway from it to
    the full size, one fifth at full size: 0.65 a^2 + 0.1 a + 0.25 of the
    pixels.
    """
    free = 0.25 - 1 / speedup
    if free >= 0:
        raise _too_fast(speedup, 4, 'a fifth of the epochs has full size')
    side = (-0.1 + (0.01 - 4 * 0.65 * free) ** 0.5) / (2 * 0.65)
    sides = (side, side, side, (1 + side) / 2, 1.0)
    stages = zip(PUBLISHED, sides, strict=True)
    return dict(stages=[{**stage, 'size': size} for stage, size in stages])


def _too_fast(speedup: float, most: float, reason: str) -> ConfigError:
    return ConfigError(
        f'a speed-up of {speedup:g} is out of reach: {reason}, so it is '
        f'below {most:.3g}; ask for less'
    )


_SOLVERS: dict[str, Solver] = {
    'IESHook': _ies,
    'SoftIESHook': _soft_ies,
    'RandomRemovalHook': _random,
    'OrderDPHook': _orderdp,
    'DIHCLHook': _dihcl,
    'SelectiveBackpropHook': _selective,
    'EfficientTrainHook': _efficient,
}
