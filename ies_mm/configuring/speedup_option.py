"""``--speedup``: the config's method, set to be so many times as fast."""

from collections.abc import Iterable
from typing import Any

from mmengine.config import Config
from mmengine.registry import HOOKS

from ies_mm.configuring.pipelines import mixes_at_first
from ies_mm.configuring.reading import (
    OF_MMENGINE,
    selection_hooks,
    type_name,
)
from ies_mm.configuring.speedups import arguments_for
from ies_mm.core import Standing
from ies_mm.errors import ConfigError
from ies_mm.training.hook.mixing_options import (
    SCORING,
    TRAINING,
    interval_of,
)
from ies_mm.training.hook.selection_hook import SelectionHook


def speed_up(cfg: Config, speedup: float, given: Iterable[str] = ()) -> None:
    """Set the arguments of the config's selection hook, in place.

    Args:
        cfg (Config): A training run with a selection method.
        speedup (float): Compute of the full training over that of the run.
        given (iterable of str): Keys given by ``--cfg-options``, with dots.
            What the file sets is replaced. Defaults to none.

    Raises:
        ConfigError: There is no selection hook, the loop counts iterations,
            the user set what the speed-up determines, or the method cannot
            reach it in so many epochs.
    """
    hooks = dict(selection_hooks(cfg))
    if len(hooks) != 1:
        raise ConfigError(
            f'--speedup needs one selection hook, found {len(hooks)}; add '
            '--method NAME, or shorten a plain training by --length '
            f'{1 / speedup:.3g}'
        )
    epochs = (cfg.get('train_cfg') or {}).get('max_epochs')
    if epochs is None:
        raise ConfigError(
            '--speedup needs train_cfg.max_epochs; the loop of this config '
            'counts iterations, so give the arguments of the hook instead'
        )
    [(place, hook)] = hooks.items()
    named: dict[str, Any] = {**hook, 'type': type_name(hook)}
    found = arguments_for(named, speedup, epochs)
    # As --cfg-options spells it: custom_hooks.0.
    spelled = place.replace('[', '.').replace(']', '')
    for option in given:
        if any(f'{option}.'.startswith(f'{spelled}.{key}.') for key in found):
            raise ConfigError(
                f'--speedup {speedup:g} determines {option}; give only one of '
                'them'
            )
    for key, value in found.items():
        hook.pop(key, None)
        if value is not None:
            hook[key] = value
    check_length(hook, speedup, epochs, mixes_at_first(cfg))


def check_length(
    hook: dict, speedup: float, epochs: int, mixes: bool = False
) -> None:
    """Refuse a speed-up for which the training has too few epochs.

    Args:
        hook (dict): The hook's config, set to the speed-up.
        speedup (float): See :func:`speed_up`.
        epochs (int): Length of the training.
        mixes (bool): Whether it trains on mixed images. Defaults to False.

    Raises:
        ConfigError: It says what cannot be reached.
    """
    if reason := shortfall(hook, epochs, mixes):
        raise ConfigError(
            f'--speedup {speedup:g} is out of reach for {reason}'
        )


def shortfall(hook: dict, epochs: int, mixes: bool) -> str:
    """What a hook asks for and a training run cannot save; '' if it can.

    Args:
        hook (dict): The hook's config.
        epochs (int): Length of the training.
        mixes (bool): Whether it trains on mixed images.

    Returns:
        str: Name of the method, and the reason.
    """
    arguments = {k: v for k, v in hook.items() if k not in OF_MMENGINE}
    built = HOOKS.build(dict(arguments, type=hook['type']))
    method, every = built.method, _scored_every(built, epochs, mixes)
    standing = Standing(instances=1, epochs=epochs, scored_every=every)
    reason = method.shortfall(standing)
    return f'{method.name}: {reason}' if reason else ''


def _scored_every(hook: SelectionHook, epochs: int, mixes: bool) -> int:
    """Epochs between two scoring passes over all images; 0 for none."""
    observe, given = hook.mixing.observe, hook.mixing.scoring.interval
    mixes = mixes and not hook.mixing.in_place
    scores = observe == SCORING and hook.records_losses
    if mixes and observe == TRAINING:
        scores = hook.method.reads_losses
    if not scores:
        return 0
    return given or interval_of(hook.method, epochs, mixes)
