"""Arguments of this package's classes, checked by making their objects."""

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.registry import DATA_SAMPLERS, HOOKS, METRICS

from ies_mm.configuring.reading import OF_MMENGINE, class_of, is_a
from ies_mm.errors import ConfigError
from ies_mm.training.data.sampler import IESSampler
from ies_mm.training.hook.common_arguments import taken_by
from ies_mm.training.hook.selection_hook import SelectionHook


def check_others(cfg: Config) -> None:
    """Reject wrong arguments of the sampler, metrics and other hooks.

    Raises:
        ConfigError: Names the key, what was found and what to do.
    """
    for key, cls, config in _ours(cfg):
        made(key, cls, config)
    sampler = (cfg.get('train_dataloader') or {}).get('sampler')
    if is_a(DATA_SAMPLERS, sampler, IESSampler):
        # Any dataset will do. With a seed, ranks need not agree on one.
        given = {'dataset': range(1), 'seed': 0} | dict(sampler or {})
        cls = class_of(DATA_SAMPLERS, sampler)
        made('train_dataloader.sampler', cls, given)


def made(key: str, cls: Any, config: Mapping[str, Any]) -> Any:
    """The object of a config.

    Args:
        key (str): Its place.
        cls (type): Its class.
        config (mapping): Its dict, with the keys that MMEngine reads.

    Raises:
        ConfigError: An argument is unknown, of the wrong type or out of
            range.
    """
    arguments = {k: v for k, v in config.items() if k not in OF_MMENGINE}
    try:
        return cls(**arguments)
    except ConfigError as error:
        # It may name the key already.
        text = str(error)
        raise ConfigError(
            text if text.startswith(key) else f'{key}: {text}'
        ) from error
    except (TypeError, ValueError) as error:
        raise ConfigError(f'{key}: {_reason(cls, error)}') from error


def _ours(cfg: Config) -> Iterator[tuple[str, Any, Mapping[str, Any]]]:
    """The hooks and metrics of this package, but no selection hooks."""
    places = [
        (HOOKS, 'default_hooks', cfg.get('default_hooks') or {}),
        (HOOKS, 'custom_hooks', cfg.get('custom_hooks') or []),
        (METRICS, 'val_evaluator', cfg.get('val_evaluator') or []),
    ]
    for registry, place, configs in places:
        for key, config in _named(place, configs):
            cls = class_of(registry, config)
            name = getattr(cls, '__module__', '')
            selects = is_a(HOOKS, config, SelectionHook)
            if name.startswith('ies_mm.') and not selects:
                yield key, cls, config


def _named(place: str, configs: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(configs, Mapping) and 'type' in configs:
        yield place, configs
    elif isinstance(configs, Mapping):
        yield from ((f'{place}.{k}', value) for k, value in configs.items())
    elif isinstance(configs, list | tuple):
        yield from ((f'{place}[{i}]', v) for i, v in enumerate(configs))


def _reason(cls: type, error: Exception) -> str:
    """Why an object cannot be made; Python does not say what it takes."""
    reason, name = str(error), cls.__name__
    if reason.startswith(f'{name}.__init__()'):
        reason = reason.replace(f'{name}.__init__()', name)
        reason += f'; it takes {", ".join(taken_by(cls))}'
    if issubclass(cls, SelectionHook) and reason.startswith(
        f'{name} got an unexpected'
    ):
        reason += ". _delete_=True drops the arguments of the base's hook"
    return reason
