"""What must hold before a training with a selection hook may start."""

from typing import Any

from mmengine.runner import EpochBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from ies_mm.engine.identity import mixing_transforms
from ies_mm.engine.sampler import IESSampler
from ies_mm.errors import ConfigError
from ies_mm.losses import check_supported


def check_training(runner: Runner, hook: object) -> IESSampler:
    """Refuse what cannot work, before the first batch.

    Returns:
        IESSampler: The training's sampler.

    Raises:
        ConfigError: Says which key of the config to change.
    """
    sampler = find_sampler(runner.train_dataloader)
    if not isinstance(sampler, IESSampler):
        raise ConfigError(
            'a selection hook needs train_dataloader.sampler.type='
            f"'IESSampler', found {type(sampler).__name__!r}; add "
            "train_dataloader=dict(sampler=dict(type='IESSampler'))"
        )
    if sampler.user not in (None, hook):
        raise ConfigError(
            'two selection hooks share one sampler; keep one of them in '
            'default_hooks or custom_hooks'
        )
    if not isinstance(runner.train_loop, EpochBasedTrainLoop):
        raise ConfigError(
            f'train_cfg.type={type(runner.train_loop).__name__!r}: selection '
            "hooks work in epochs; use 'EpochBasedTrainLoop'"
        )
    check_one_image_each(runner.train_dataloader.dataset)
    check_supported(runner.model)
    return sampler


def check_one_image_each(dataset: Any) -> None:
    """Refuse transforms that make one sample of several images.

    Raises:
        ConfigError: Names the config key of the first one.
    """
    for key in mixing_transforms(dataset):
        raise mixing_error(key)


def mixing_error(key: str) -> ConfigError:
    """The error for a transform that mixes images."""
    return ConfigError(
        f'{key} mixes several images into one sample, whose loss then '
        'belongs to none of them; remove it or train without IES'
    )


def find_sampler(loader: DataLoader) -> Any:
    """The sampler that really orders the samples.

    A batch sampler of the config hides it: ``loader.sampler`` is then a mere
    ``SequentialSampler``.
    """
    return getattr(loader.batch_sampler, 'sampler', loader.sampler)
