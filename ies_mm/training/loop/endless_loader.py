"""Order, iterator and workers of an endless stream's data loader."""

from typing import Any

from mmengine.runner import Runner
from torch.utils.data import BatchSampler, DataLoader

from ies_mm.errors import ConfigError
from ies_mm.losses.capture.random_state import preserved_random_state
from ies_mm.training import mmengine_internals as internals
from ies_mm.training.data.stream import EndlessStream
from ies_mm.training.loop.resumed_batches import ResumedBatches


def check_order(runner: Runner) -> None:
    """Reject loaders that do not keep the stream's order.

    Raises:
        ConfigError: Names the key of the config.
    """
    loader: Any = runner.train_dataloader
    if type(loader.batch_sampler) is not BatchSampler:
        raise ConfigError(
            'train_dataloader.batch_sampler='
            f'{type(loader.batch_sampler).__name__} changes the order of an '
            'endless stream; in an iteration-based run remove it, or '
            'train with EpochBasedTrainLoop'
        )
    if not getattr(loader, 'in_order', True):
        raise ConfigError(
            'train_dataloader.in_order=False changes the order of an endless '
            'stream; remove it in an iteration-based run'
        )


def fresh_iterator(
    loader: DataLoader, trained: int, stream: EndlessStream
) -> ResumedBatches:
    """A new iterator that follows the stream from its current position.

    An older one does not follow the stream, and its workers do not tag
    samples (mmengine up to 0.10.7 makes one at once).

    Args:
        loader (DataLoader): The training loader.
        trained (int): Iterations that the loop has completed.
        stream (EndlessStream): The stream of the loader's sampler.
    """
    internals.drop_iterator(loader)
    # If this begins an iterator at once, it draws a seed from torch's
    # generator, as the one that it replaces has already done.
    with preserved_random_state(), stream.training():
        iterator = internals.endless_batches(loader)
    return ResumedBatches(iterator, trained, stream)


def say_how_late(runner: Runner) -> None:
    """Log how many batches late a new selection takes effect."""
    loader = runner.train_dataloader
    # Without workers, prefetch_factor is None.
    late = loader.num_workers * (loader.prefetch_factor or 0)
    if late:
        runner.logger.info(
            f'{loader.num_workers} workers fetch {late} batches ahead, so '
            'a selection takes effect that many batches after its decision'
        )
