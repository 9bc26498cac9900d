"""A check that a dumped config has the expected form."""

from typing import Any

from ies_mm.core.arguments import LARGEST
from ies_mm.report.values import is_count

DICTS = (
    'train_dataloader', 'train_dataloader.sampler', 'val_dataloader',
    'train_cfg', 'val_cfg', 'default_hooks', 'default_hooks.ies',
    'default_hooks.logger', 'randomness',
)  # fmt: skip
LISTS = ('custom_hooks',)
INTEGERS = (
    'train_cfg.max_epochs', 'train_cfg.max_iters', 'randomness.seed',
    'default_hooks.logger.interval',
)  # fmt: skip


def fault_of(config: dict[str, Any]) -> str | None:
    """What differs from the form that MMEngine dumps; None if nothing.

    Any setting may be None or missing.
    """
    for kind, keys in ((dict, DICTS), ((list, tuple), LISTS)):
        for key in keys:
            value = _value(config, key)
            if value is not None and not isinstance(value, kind):
                wanted = 'a dict' if kind is dict else 'a list'
                return f'{key} is {_short(value)}, not {wanted}'
    for key in INTEGERS:
        value = _value(config, key)
        # MMEngine accepts max_epochs=12.0, too.
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if value is not None and not is_count(value):
            return f'{key} is {_short(value)}, not an integer from 0 to 2**53'
    return None


def _value(config: dict[str, Any], dotted: str) -> Any:
    value: Any = config
    for key in dotted.split('.'):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _short(value: Any) -> str:
    # Python refuses to convert very long integers to decimals.
    huge = isinstance(value, int) and abs(value) > LARGEST
    text = f'{value:#x}' if huge else repr(value)
    return text if len(text) <= 40 else f'{text[:38]}..'
