"""What must hold before a training with a selection hook may start."""

from typing import Any

from mmengine.hooks import CheckpointHook, Hook, ParamSchedulerHook
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

from ies_mm.errors import ConfigError
from ies_mm.losses import check_supported
from ies_mm.losses.context import unwrap
from ies_mm.methods.method import Method
from ies_mm.training.data.any_sampler import AnySampler
from ies_mm.training.data.mixing import (
    makes_views,
    mixes,
    own_transforms,
    transforms_of,
)
from ies_mm.training.data.partners import CACHE
from ies_mm.training.data.replaced import check_replaced
from ies_mm.training.data.sampler import IESSampler
from ies_mm.training.hook.mixing import SCORING, Mixing
from ies_mm.training.loop.batches import sampler_of
from ies_mm.training.scoring.unmixed import batch_augments


def check_training(
    runner: Runner,
    hook: Hook,
    needs_sampler: bool,
    method: Method,
    mixing: Mixing,
    fallback: bool,
) -> IESSampler | AnySampler:
    """Refuse what cannot work, before the first batch.

    Args:
        runner (Runner): Of the training.
        hook (Hook): The selection hook.
        needs_sampler (bool): Whether it may leave images out.
        method (Method): The hook's.
        mixing (Mixing): What the user wants where images are mixed.
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
    check_samples(runner, method, mixing)
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


def check_samples(runner: Runner, method: Method, mixing: Mixing) -> None:
    """Refuse samples and batches that the method cannot work with.

    Args:
        runner (Runner): Of the training.
        method (Method): What selects.
        mixing (Mixing): What the user wants where images are mixed.

    Raises:
        ConfigError: Names the first one.
    """
    for key, transform in transforms_of(runner.train_dataloader.dataset):
        check_transform(key, transform, method, mixing)
    check_batch_augments(unwrap(runner.model), method, mixing)
    for key, transform in own_transforms(runner.train_dataloader.dataset):
        check_cache(key, transform)


def check_transform(
    key: str, transform: Any, method: Method, mixing: Mixing
) -> None:
    """Refuse a transform whose samples the method cannot work with.

    Args:
        key (str): Its place in the config.
        transform (Any): It, or its class.
        method (Method): What selects.
        mixing (Mixing): What the user wants where images are mixed.

    Raises:
        ConfigError: It makes several views of an image.
        ConfigError: It mixes images, and the method needs the loss of each.
    """
    if makes_views(transform):
        fault = 'makes several views of an image, whose losses are not told '
        fault += 'apart; remove it, or train without a selection hook'
    elif mixes(transform) and _needs_each(method, mixing):
        fault = 'mixes several images into one sample, whose loss belongs to '
        fault += f'none of them, and {method.name} {method.needs_steps}; '
        fault += 'remove it, or train with IESHook, which scores the images '
        fault += 'without mixing'
    else:
        return
    raise ConfigError(f'{key} {fault}')


def check_cache(key: str, transform: Any) -> None:
    """Refuse a transform of whose partners nothing is known.

    Args:
        key (str): Its place in the config.
        transform (Any): Of a dataset's own pipeline.

    Raises:
        ConfigError: It mixes images that it keeps in a way of its own.
    """
    if mixes(transform) and not hasattr(transform, CACHE):
        raise ConfigError(
            f'{key} mixes images that it does not keep in {CACHE}, as '
            'CachedMosaic does, so it is not known which images are in a '
            'sample; keep them there, or draw them in a MultiImageMixDataset'
        )


def check_batch_augments(
    model: nn.Module, method: Method, mixing: Mixing
) -> None:
    """Refuse Mixup, CutMix and their like where each image's loss is needed.

    Args:
        model (nn.Module): Of the training.
        method (Method): What selects.
        mixing (Mixing): What the user wants where images are mixed.

    Raises:
        ConfigError: Names them, their config key and the option.
    """
    names = [type(augment).__name__ for augment in batch_augments(model)]
    if names and not mixing.in_place and _needs_each(method, mixing):
        raise ConfigError(
            f'model.train_cfg.augments (or data_preprocessor.batch_augments): '
            f'{", ".join(names)} mixes the images of a batch, so a loss '
            f'belongs to two of them, and {method.name} {method.needs_steps}; '
            'remove it, or set allow_batch_augments=True in the hook: what is '
            'recorded for an image is then the loss of the mixture in its '
            'place of the batch'
        )


def _needs_each(method: Method, mixing: Mixing) -> bool:
    """Whether each image's own loss is needed of every training step."""
    return bool(method.needs_steps) and mixing.observe == SCORING


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
