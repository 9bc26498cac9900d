"""What must hold before a training with a selection hook may start."""

from collections.abc import Iterable
from typing import Any

from mmengine.hooks import CheckpointHook, Hook, ParamSchedulerHook
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

from ies_mm.errors import ConfigError
from ies_mm.losses import check_supported
from ies_mm.losses.context import unwrap
from ies_mm.training.data.any_sampler import AnySampler
from ies_mm.training.data.mixing import makes_views, mixes, transforms_of
from ies_mm.training.data.replaced import check_replaced
from ies_mm.training.data.sampler import IESSampler
from ies_mm.training.loop.batches import sampler_of


def check_training(
    runner: Runner,
    hook: Hook,
    needs_sampler: bool,
    batch_augments: bool,
    fallback: bool,
) -> IESSampler | AnySampler:
    """Refuse what cannot work, before the first batch.

    Args:
        runner (Runner): Of the training.
        hook (Hook): The selection hook.
        needs_sampler (bool): Whether it may leave images out.
        batch_augments (bool): See :func:`check_samples`.
        fallback (bool): See :func:`capture_per_image_losses`.

    Returns:
        IESSampler or AnySampler: The training's sampler; what stands for
        it where it is none of ours and nothing is left out.

    Raises:
        ConfigError: Says which key of the config to change.
    """
    sampler = _sampler(runner, needs_sampler)
    _check_loop(runner)
    _check_wrapper(runner.model)
    _check_turn(runner, hook)
    check_samples(runner, batch_augments)
    check_supported(runner.model, fallback=fallback)
    return sampler


def _sampler(runner: Runner, needs_sampler: bool) -> IESSampler | AnySampler:
    loader = runner.train_dataloader
    sampler = sampler_of(loader)
    if isinstance(sampler, IESSampler):
        if runner.cfg.get('train_dataloader') is not None:
            check_replaced(runner.cfg)
        return sampler
    if needs_sampler:
        raise ConfigError(
            'a selection hook needs train_dataloader.sampler.type='
            f"'IESSampler', found {type(sampler).__name__!r}; add "
            "train_dataloader=dict(sampler=dict(type='IESSampler'))"
        )
    return AnySampler(loader.dataset)


def check_samples(runner: Runner, batch_augments: bool) -> None:
    """Refuse pipelines and augments whose losses belong to no single image.

    Args:
        runner (Runner): Of the training.
        batch_augments (bool): Whether images of a batch may be mixed.

    Raises:
        ConfigError: Names the first one.
    """
    check_one_image_each(runner.train_dataloader.dataset)
    if not batch_augments:
        check_batch_augments(unwrap(runner.model))


def check_one_image_each(dataset: Any) -> None:
    """Refuse transforms that make one sample of several images, or several.

    Raises:
        ConfigError: Names the config key of the first one.
    """
    for key, transform in transforms_of(dataset):
        check_transform(key, transform)


def check_transform(key: str, transform: Any) -> None:
    """Refuse a transform that does not make one sample of one image.

    Args:
        key (str): Its place in the config.
        transform (Any): It, or its class.

    Raises:
        ConfigError: It mixes images, or makes several views of one.
    """
    if mixes(transform):
        fault = 'mixes several images into one sample, whose loss then '
        fault += 'belongs to none of them'
    elif makes_views(transform):
        fault = 'makes several views of an image, whose losses are not told '
        fault += 'apart'
    else:
        return
    raise ConfigError(
        f'{key} {fault}; remove it, or train without a selection hook'
    )


def check_batch_augments(model: nn.Module) -> None:
    """Refuse Mixup, CutMix and their like, which mix the images of a batch.

    Raises:
        ConfigError: Names them, their config key and the option.
    """
    preprocessor = getattr(model, 'data_preprocessor', None)
    augments: Iterable[Any] = getattr(
        getattr(preprocessor, 'batch_augments', None), 'augments', ()
    )
    names = [type(a).__name__ for a in augments if a is not None]
    if names:
        raise ConfigError(
            f'model.train_cfg.augments (or data_preprocessor.batch_augments): '
            f'{", ".join(names)} mixes the images of a batch, so a loss '
            'belongs to two of them; remove it, or set allow_batch_augments='
            'True in the hook: what is recorded for an image is then the '
            'loss of the mixture in its place of the batch'
        )


def _check_loop(runner: Runner) -> None:
    known = (EpochBasedTrainLoop, IterBasedTrainLoop)
    if not isinstance(runner.train_loop, known):
        raise ConfigError(
            f'train_cfg.type={type(runner.train_loop).__name__!r}: selection '
            "hooks know 'EpochBasedTrainLoop' and 'IterBasedTrainLoop'"
        )


def _check_wrapper(model: nn.Module) -> None:
    """Parameters that are sharded cannot be scored by one process alone."""
    known = (DataParallel, DistributedDataParallel)
    kind = type(model).__name__
    if kind == 'MMSeparateDistributedDataParallel':
        return
    if is_model_wrapper(model) and not isinstance(model, known):
        raise ConfigError(
            f'the model is wrapped in {kind}, whose processes have to make '
            'every forward pass together; train with '
            "model_wrapper_cfg=dict(type='MMDistributedDataParallel') (in a "
            "FlexibleRunner strategy=dict(type='DDPStrategy')), or without a "
            'selection hook'
        )


def _check_turn(runner: Runner, hook: Hook) -> None:
    """The hook must come before what steps, logs and saves by its word."""
    for other in runner.hooks[: runner.hooks.index(hook)]:
        if isinstance(other, ParamSchedulerHook | CheckpointHook):
            raise ConfigError(
                f'{type(hook).__name__} comes after {type(other).__name__}, '
                'which then steps or saves without it; give it a higher '
                "priority, or leave 'priority' out"
            )
