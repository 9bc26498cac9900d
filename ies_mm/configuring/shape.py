"""Whether a config has the form that MMEngine reads."""

from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook

from ies_mm.errors import ConfigError
from ies_mm.report.reading.sections import fault_of

DROPPABLE = (
    'runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler',
    'checkpoint',
)  # fmt: skip
"""MMEngine's default hooks, which a config may drop by None."""


def check_shape(cfg: Config) -> None:
    """Reject settings of a form that MMEngine cannot read.

    Args:
        cfg (Config): With the changes of the command line.

    Raises:
        ConfigError: Names the key and what was found.
    """
    if fault := fault_of(cfg.to_dict()):
        raise ConfigError(fault)
    for place, hook in enumerate(cfg.get('custom_hooks') or []):
        if not isinstance(hook, dict | Hook):
            raise ConfigError(_no_hook(f'custom_hooks[{place}]', hook))
    for name, hook in (cfg.get('default_hooks') or {}).items():
        if hook is None and name not in DROPPABLE:
            raise ConfigError(
                f'default_hooks.{name}=None: MMEngine removes only its '
                'own default hooks this way; write default_hooks='
                'dict(_delete_=True, ...) with the others, or inherit from a '
                'config without it'
            )
        if not isinstance(hook, dict | Hook | None):
            raise ConfigError(_no_hook(f'default_hooks.{name}', hook))


def _no_hook(key: str, found: Any) -> str:
    return f"{key}={found!r:.80}: give a hook's dict, dict(type=...)"
