"""Noisy-label transforms in a config."""

from collections.abc import Mapping
from typing import Any

from ies_mm.errors import ConfigError

TRANSFORM = 'LoadNoisyLabels'


def check_place(cfg: Mapping[str, Any]) -> None:
    """Refuse noisy labels in validation or test.

    Args:
        cfg (Config): A training config.

    Raises:
        ConfigError: Such a data loader reads them; names it.
    """
    for loader in ('val_dataloader', 'test_dataloader'):
        if _is_inside(cfg.get(loader)):
            raise ConfigError(
                f'{loader} reads noisy labels, so its metric would be '
                f'meaningless; use {TRANSFORM} only in the training pipeline'
            )


def without_noise(part: Any) -> Any:
    """A config, or part of one, without the transform."""
    if isinstance(part, dict):
        kept = {key: without_noise(value) for key, value in part.items()}
        return type(part)(kept)
    if isinstance(part, list | tuple):
        return type(part)(without_noise(p) for p in part if not _is_it(p))
    return part


def _is_inside(part: Any) -> bool:
    if isinstance(part, dict):
        return _is_it(part) or any(map(_is_inside, part.values()))
    return isinstance(part, list | tuple) and any(map(_is_inside, part))


def _is_it(part: Any) -> bool:
    found = part.get('type') if isinstance(part, dict) else None
    # Configs that import their classes have the class itself as type.
    name = getattr(found, '__name__', found)
    return isinstance(name, str) and name.rpartition('.')[2] == TRANSFORM
