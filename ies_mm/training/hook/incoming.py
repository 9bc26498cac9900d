"""A batch from the data loader, with the instances it shows."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ies_mm.errors import ConfigError
from ies_mm.training.data.shown_images import batch_instances, check_shown
from ies_mm.training.data.tagging import missed_of, partners_in
from ies_mm.training.state.session import Session

OF_MMENGINE = ('default_collate', 'pseudo_collate')
"""MMEngine's collate functions, which keep the samples."""


@dataclass(frozen=True)
class Batch:
    """A batch of the training.

    Attributes:
        index (int): Its number in the loop's epoch.
        data (Any): As returned by the loader.
        ids (Tensor): int64 (B,), the instances that it shows.
        epochs (list of tuple): See :meth:`Pace.take`.
        partners (list of tuple): The other instances in each sample, if its
            pipeline mixes images.
        weights (Tensor, optional): float32 (B,), factors on the losses of its
            samples; None if all are 1.
    """

    index: int
    data: Any
    ids: Tensor
    epochs: list[tuple[int, int]]
    partners: list[tuple[int, ...]]
    weights: Tensor | None


def batch_of(session: Session, index: int, data: Any) -> Batch:
    """Compare what the loader returned with what the sampler requested.

    Args:
        session (Session): The session of the training.
        index (int): Number of the batch in the loop's epoch.
        data (Any): As returned by the loader.

    Raises:
        ConfigError: Its images are not known or were not requested.
    """
    ids = _instances_of(session, data)
    # First: asked_for compares with the samples that this call takes.
    epochs = session.pace.take(len(ids))
    asked_for = session.pace.asked_for(ids, session.state.selection)
    check_shown(session.instances, data, ids, asked_for)
    samples = data['data_samples']
    # It is not kept which sample missed an image, so in a batch across two
    # passes all count in the first.
    session.observed.note_missed(epochs[0][0], missed_of(samples))
    partners = [partners_in(sample) for sample in samples]
    weights = session.pace.weights(ids, session.state.selection)
    return Batch(index, data, ids, epochs, partners, weights)


def _instances_of(session: Session, data: Any) -> Tensor:
    """As :func:`batch_instances`; errors name a custom collate function."""
    try:
        return batch_instances(data)
    except ConfigError as error:
        collate: Any = session.runner.train_dataloader.collate_fn
        # MMEngine wraps the function that a config names in a partial.
        collate = getattr(collate, 'func', collate)
        name = getattr(collate, '__name__', type(collate).__name__)
        if name in OF_MMENGINE:
            raise
        raise ConfigError(
            f'train_dataloader.collate_fn={name}: {error}'
        ) from error
