"""Checks before training with a selection hook starts."""

from typing import Any

from mmengine.hooks import CheckpointHook, Hook, ParamSchedulerHook
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

from ies_mm.errors import ConfigError
from ies_mm.losses.context import unwrap
from ies_mm.methods.method import Method
from ies_mm.training.data.any_sampler import AnySampler
from ies_mm.training.data.mixing_transforms import (
    makes_views,
    mixes,
    own_transforms,
    transforms_of,
)
from ies_mm.training.data.partners import CACHE
from ies_mm.training.data.replaced_sampler import check_replaced
from ies_mm.training.data.sampler import IESSampler
from ies_mm.training.hook.mixing_options import MIXTURES, Mixing
from ies_mm.training.hook.settings import Settings
from ies_mm.training.hook.supported_model import check_model
from ies_mm.training.loop.batches import sampler_of
from ies_mm.training.scoring.unmixed import batch_augments


def check_training(
    runner: Runner,
    hook: Hook,
    settings: Settings,
) -> IESSampler | AnySampler:
    """Reject a training run that cannot work, before its first batch.

    Args:
        runner (Runner): The runner of the training.
        hook (Hook): The selection hook.
        settings (Settings): What it asks of the training.

    Returns:
        IESSampler or AnySampler: The training's sampler, or a stand-in if it
        is not an IESSampler and nothing is pruned.

    Raises:
        ConfigError: Says which key of the config to change.
    """
    # First: views of an image (semi-supervised) work with no sampler.
    check_samples(runner, settings.method, settings.mixing)
    sampler = _sampler(runner, settings)
    _check_loop(runner)
    _check_wrapper(runner.model)
    _check_turn(runner, hook)
    if settings.records_losses:
        check_model(runner.model, settings.method, settings.fallback)
    return sampler


def _sampler(runner: Runner, settings: Settings) -> IESSampler | AnySampler:
    loader = runner.train_dataloader
    sampler = sampler_of(loader)
    if isinstance(sampler, IESSampler):
        # A runner made of objects has no config to compare with.
        if runner.cfg.get('train_dataloader') is not None:
            check_replaced(runner.cfg)
        return sampler
    if settings.needs_sampler or settings.records_losses:
        _check_batch_sampler(loader.batch_sampler)
    if settings.needs_sampler:
        raise ConfigError(
            'a selection hook needs train_dataloader.sampler.type='
            f"'IESSampler', found {type(sampler).__name__!r}; add "
            "train_dataloader=dict(sampler=dict(type='IESSampler'))"
        )
    return AnySampler(loader.dataset)


def _check_batch_sampler(batches: Any) -> None:
    """Reject a batch sampler that hides which sampler it draws from."""
    # None: a PyTorch loader that makes no batches.
    if batches is not None and not hasattr(batches, 'sampler'):
        raise ConfigError(
            f'train_dataloader.batch_sampler={type(batches).__name__} must '
            'keep its sampler as self.sampler, by which a selection hook '
            'finds it; set it in __init__, or use the default batch sampler'
        )


def check_samples(runner: Runner, method: Method, mixing: Mixing) -> None:
    """Reject samples and batches that the method cannot work with.

    Args:
        runner (Runner): The runner of the training.
        method (Method): The selection method.
        mixing (Mixing): How images are observed.

    Raises:
        ConfigError: Names the first one.
    """
    for key, transform in transforms_of(runner.train_dataloader.dataset):
        check_transform(key, transform, method, mixing)
    check_batch_augments(unwrap(runner.model), method, mixing)
    # Wrappers' transforms draw from the dataset they wrap, whose samples say
    # which images they show.
    for key, transform in own_transforms(runner.train_dataloader.dataset):
        check_cache(key, transform)


def check_transform(
    key: str, transform: Any, method: Method, mixing: Mixing
) -> None:
    """Reject a transform whose samples the method cannot work with.

    Args:
        key (str): Its place in the config.
        transform (Any): The transform or its class.
        method (Method): The selection method.
        mixing (Mixing): How images are observed.

    Raises:
        ConfigError: It makes several views of an image.
        ConfigError: It mixes images, and the method needs the loss of each.
    """
    if makes_views(transform):
        fault = 'makes several views of an image, whose losses cannot be told '
        fault += 'apart; remove it, or train without a selection hook'
    elif mixes(transform) and _needs_each(method, mixing):
        fault = 'mixes several images into one sample, whose loss belongs to '
        fault += f'none of them, and {method.name} {method.needs_steps}; '
        fault += (
            "remove it, set observe='mixtures' in the hook, or train with "
        )
        fault += 'IESHook, which scores the images without mixing'
    else:
        return
    raise ConfigError(f'{key} {fault}')


def check_cache(key: str, transform: Any) -> None:
    """Reject a mixing transform whose partners are not known.

    Args:
        key (str): Its place in the config.
        transform (Any): A transform of a dataset's own pipeline.

    Raises:
        ConfigError: It mixes images but does not keep them in ``CACHE``.
    """
    if mixes(transform) and not hasattr(transform, CACHE):
        raise ConfigError(
            f'{key} mixes images that it does not keep in {CACHE}, unlike '
            'CachedMosaic, so it is not known which images are in a sample; '
            'keep them there, or draw them in a MultiImageMixDataset'
        )


def check_batch_augments(
    model: nn.Module, method: Method, mixing: Mixing
) -> None:
    """Reject batch augments such as Mixup if each image's loss is needed.

    Args:
        model (nn.Module): The model of the training.
        method (Method): The selection method.
        mixing (Mixing): How images are observed.

    Raises:
        ConfigError: Names them, their config key and the option.
    """
    names = [type(augment).__name__ for augment in batch_augments(model)]
    key = 'model.train_cfg.augments (or data_preprocessor.batch_augments)'
    check_augments(key, names, method, mixing)


def check_augments(
    key: str, names: list[str], method: Method, mixing: Mixing
) -> None:
    """As :func:`check_batch_augments`, by the augments' names.

    Args:
        key (str): Their place in the config.
        names (list of str): Their types; none if empty.
        method (Method): The selection method.
        mixing (Mixing): How images are observed.

    Raises:
        ConfigError: Names them, their config key and the option.
    """
    if names and not mixing.in_place and _needs_each(method, mixing):
        raise ConfigError(
            f'{key}: {", ".join(names)} mixes the images of a batch, so a '
            f'loss belongs to two of them, and {method.name} '
            f'{method.needs_steps}; remove it, or set '
            'allow_batch_augments=True in the hook, which records for each '
            'image the loss of the mixture in its place of the batch'
        )


def _needs_each(method: Method, mixing: Mixing) -> bool:
    """Whether every training step must give each image's own loss."""
    return bool(method.needs_steps) and mixing.observe != MIXTURES


def _check_loop(runner: Runner) -> None:
    known = (EpochBasedTrainLoop, IterBasedTrainLoop)
    if not isinstance(runner.train_loop, known):
        raise ConfigError(
            f'train_cfg.type={type(runner.train_loop).__name__!r}: selection '
            "hooks support 'EpochBasedTrainLoop' and 'IterBasedTrainLoop'"
        )


def _check_wrapper(model: nn.Module) -> None:
    """Reject sharded parameters: a single process cannot score with them."""
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
    """Reject a hook that runs after those that step schedules or save."""
    # MMEngine keeps its hooks in the order in which it calls them.
    for other in runner.hooks[: runner.hooks.index(hook)]:
        if isinstance(other, ParamSchedulerHook | CheckpointHook):
            raise ConfigError(
                f'{type(hook).__name__} comes after {type(other).__name__}, '
                'which then steps or saves without it; give it a higher '
                "priority, or remove 'priority'"
            )
