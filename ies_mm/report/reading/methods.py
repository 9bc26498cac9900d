"""The method that a run was trained with, according to its config."""

from collections.abc import Sequence
from typing import Any

from ies_mm.report.values import is_number

PLAIN = 'plain'
SHORT = 'short plain'
LONG = 'long plain'
RANDOM = 'random pruning'
EARLY_STOPPING = 'Early Stopping'

LENGTH = 'ies_mm_length'
"""The key of a config in which ``--length`` notes the share."""


METHODS = (
    'IESHook', 'BatchLossScoreHook', 'DIHCLHook', 'EfficientTrainHook',
    'InfoBatchHook', 'OrderDPHook', 'RandomRemovalHook',
    'SelectiveBackpropHook', 'SmallLossRescaleHook', 'SoftIESHook',
)  # fmt: skip
"""Our hooks; custom ones are recognized by their records."""


ALIASES = {'Random Remove': RANDOM, 'RandomRemoval': RANDOM}
"""The paper's name for a method, in the records, and that of its hook."""


OBSERVES = 'PerImageLossHook'
"""Writes records, but trains like the plain run."""


def is_selected(config: dict[str, Any], recorded: bool) -> bool:
    """Whether a method makes the training differ from a plain one.

    Hooks that are not in :data:`METHODS` are recognized by their records. The
    records may be of an earlier training in the folder, so the sampler, which
    every method that prunes needs, must be ours, too.

    Args:
        config (dict): Config of the run.
        recorded (bool): Whether a method wrote records. With the sampler but
            without a hook, a run trains like the plain one.
    """
    sampler = (config.get('train_dataloader') or {}).get('sampler') or {}
    ours = _name(sampler) == 'IESSampler'
    if observes(config):
        return False
    return bool(method_hook(config)) or (ours and recorded)


def hook_of(config: dict[str, Any]) -> str:
    """Name of the hook that selects images; empty for a plain training."""
    return _name(method_hook(config)) if is_selected(config, False) else ''


def seed_of(config: dict[str, Any]) -> int | None:
    """The seed that a config asks for."""
    seed: int | None = (config.get('randomness') or {}).get('seed')
    return seed


def observes(config: dict[str, Any]) -> bool:
    """Whether a hook records an otherwise plain run."""
    return OBSERVES in map(_name, _hooks(config))


def stops_early(config: dict[str, Any]) -> bool:
    """Whether it has MMEngine's ``EarlyStoppingHook``, or one like it."""
    return any(_name(h).endswith('EarlyStoppingHook') for h in _hooks(config))


def is_dry_run(config: dict[str, Any]) -> bool:
    """Whether the method decides but prunes nothing."""
    return any(hook.get('dry_run') for hook in _hooks(config))


def method_of(
    config: dict[str, Any], selected: bool, records: Sequence[dict[str, Any]]
) -> str:
    """The method's name; before the first epoch, that of its hook.

    Args:
        config (dict): Config of the run.
        selected (bool): See :func:`is_selected`.
        records (sequence of dict): Records of its epochs.
    """
    if not selected:
        if stops_early(config):
            return EARLY_STOPPING
        return by_length(length_of(config))
    name = _name(method_hook(config)).removesuffix('Hook') or 'selected'
    # The records also name the method of a hook that is not in METHODS.
    if records:
        name = str(records[-1]['method'])
    name = ALIASES.get(name, name)
    return f'{name} dry run' if is_dry_run(config) else name


def length_of(config: dict[str, Any]) -> float:
    """What ``--length`` scaled a training run to; 1 if it was not used."""
    for length in (config.get(LENGTH), _earlier_length(config)):
        if is_number(length) and length > 0:
            return float(length)
    return 1.0


def _earlier_length(config: dict[str, Any]) -> float | None:
    """What ``length`` noted before 0.3.0; None if it is a user's variable.

    The share is a float, and the full training has whole epochs or iterations.
    """
    length, loop = config.get('length'), config.get('train_cfg') or {}
    after = loop.get('max_epochs') or loop.get('max_iters')
    if not isinstance(length, float) or not 0 < length <= 2:
        return None
    if not is_number(after):
        return None
    before = after / length
    return length if abs(before - round(before)) < 1e-6 * before else None


def by_length(length: float) -> str:
    """Name of a plain training that ``--length`` scaled."""
    if length == 1:
        return PLAIN
    return f'{SHORT if length < 1 else LONG} {length:.0%}'


def method_hook(config: dict[str, Any]) -> dict[str, Any]:
    """The arguments of our selection hook; empty without one."""
    found = [hook for hook in _hooks(config) if _name(hook) in METHODS]
    return found[0] if found else {}


def _name(part: dict[str, Any]) -> str:
    """A type's bare name; configs that import classes dump the full path."""
    return str(part.get('type') or '').rpartition('.')[2]


def _hooks(config: dict[str, Any]) -> list[dict[str, Any]]:
    hooks = list((config.get('default_hooks') or {}).values())
    hooks += config.get('custom_hooks') or []
    return [hook for hook in hooks if isinstance(hook, dict)]
