"""What a config says of the method that a run was trained with."""

from collections.abc import Sequence
from typing import Any

PLAIN = 'plain'
EARLY_STOPPING = 'Early Stopping'


def is_selected(config: dict[str, Any]) -> bool:
    """Whether a method chooses the images: each works through our sampler."""
    sampler = (config.get('train_dataloader') or {}).get('sampler') or {}
    return str(sampler.get('type')).endswith('IESSampler')


def is_dry_run(config: dict[str, Any]) -> bool:
    """Whether the method decides and leaves nothing out."""
    return any(hook.get('dry_run') for hook in _hooks(config))


def method_of(
    config: dict[str, Any], records: Sequence[dict[str, Any]]
) -> str:
    """The method's name; before the first epoch, its hook's."""
    if not is_selected(config):
        types = [str(hook.get('type')) for hook in _hooks(config)]
        stops = any(name.endswith('EarlyStoppingHook') for name in types)
        return EARLY_STOPPING if stops else PLAIN
    hook = (config.get('default_hooks') or {}).get('ies') or {}
    name = str(hook.get('type', 'selected')).removesuffix('Hook')
    if records:
        name = str(records[-1]['method'])
    return f'{name} dry run' if is_dry_run(config) else name


def _hooks(config: dict[str, Any]) -> list[dict[str, Any]]:
    hooks = list((config.get('default_hooks') or {}).values())
    hooks += config.get('custom_hooks') or []
    return [hook for hook in hooks if isinstance(hook, dict)]
