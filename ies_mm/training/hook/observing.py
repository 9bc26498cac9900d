"""Where an epoch's observations come from.

As a rule from its training steps. Where these train mixtures of images, no
loss belongs to one image: then images are scored by forward passes without
mixing, or, by name, a mixture's loss is noted for all images in it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ies_mm.training.hook.incoming import Batch
from ies_mm.training.scoring.refresh import Refresher
from ies_mm.training.scoring.unmixed import batches_unmixed, noting_mates
from ies_mm.training.state.observations import Observations
from ies_mm.training.state.session import Session


class ByTraining:
    """Each image by the loss that its training step computes anyway.

    Args:
        session (Session): Of the training.
        refresher (Refresher): Scores what is left out.
    """

    interval = 0
    """Epochs between two scoring passes over all images; 0 for none."""

    of_steps = True
    """Whether every step's losses are wanted."""

    def __init__(self, session: Session, refresher: Refresher) -> None:
        self.session = session
        self.refresher = refresher

    @contextmanager
    def watching(self) -> Iterator[None]:
        """To be open while a step is made."""
        yield

    def note(self, batch: Batch, captured: Any) -> None:
        """Note a batch that was trained.

        Args:
            batch (Batch): The batch.
            captured (CapturedLosses): Its losses, in its order; None where
                they were not wanted.
        """
        self.session.observed.add(
            batch.epochs, batch.ids, captured.losses, captured.missing
        )

    def due(self, left_out: Tensor) -> Tensor:
        """What is scored by forward passes after an epoch; int64 (M,).

        Args:
            left_out (Tensor): bool (N,), what the epoch did not train.
        """
        session = self.session
        # The epoch that has just been trained is not counted yet.
        due = session.method.due(session.standing(behind=1))
        return torch.nonzero(left_out & due).flatten()

    def score(self, ids: Tensor) -> Observations:
        """Observations from forward passes.

        Args:
            ids (Tensor): int64 (M,), instances.
        """
        names = self.session.state.names
        return self.refresher.score(self.session.runner, ids, names)


class ByMixtures(ByTraining):
    """Each image by the losses of all mixtures that it is in."""

    _mates: Sequence[Tensor] = ()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Notes which images batch augments mix with each other."""
        with noting_mates(self.session.runner.model) as self._mates:
            yield

    def note(self, batch: Batch, captured: Any) -> None:
        """As :meth:`ByTraining.note`, for every image of a mixture."""
        images, start = self._images_in(batch), 0
        for epoch, samples in batch.epochs:
            rows = [
                (number, place)
                for place in range(start, start + samples)
                for number in images[place]
            ]
            start += samples
            ids, places = torch.tensor(rows, dtype=torch.long).unbind(1)
            self.session.observed.add(
                [(epoch, len(ids))],
                ids,
                _rows(captured.losses, places),
                _rows(captured.missing, places),
            )

    def _images_in(self, batch: Batch) -> list[list[int]]:
        """The instances in each sample of a batch, its own first."""
        found = [
            [number, *(other for other in partners if other >= 0)]
            for number, partners in zip(
                batch.ids.tolist(), batch.partners, strict=True
            )
        ]
        for mates in self._mates:
            for place, other in mates.fill_diagonal_(False).nonzero().tolist():
                found[place].append(int(batch.ids[other]))
        return found


class ByScoring(ByTraining):
    """All images by forward passes without mixing, every few epochs.

    Args:
        session (Session): Of the training.
        refresher (Refresher): Over images that are not mixed.
        interval (int): Epochs between two passes; 0 for none at all.
    """

    of_steps = False

    def __init__(
        self, session: Session, refresher: Refresher, interval: int
    ) -> None:
        super().__init__(session, refresher)
        self.interval = interval

    def note(self, batch: Batch, captured: Any) -> None:
        """Note who was trained, and what the terms are called."""
        names = self.session.state.names
        if captured is not None and not names:
            names.extend(captured.losses)
        self.session.observed.note_seen(batch.epochs, batch.ids)

    def due(self, left_out: Tensor) -> Tensor:
        """Everything, in epochs that the interval divides."""
        epoch = self.session.state.epochs + 1
        last = epoch >= self.session.pace.max_epochs
        if last or not self.interval or epoch % self.interval:
            return torch.zeros(0, dtype=torch.long)
        return torch.arange(len(left_out))

    def try_out(self) -> None:
        """See :meth:`Refresher.try_out`."""
        runner = self.session.runner
        with batches_unmixed(runner.model):
            self.refresher.try_out(runner)

    def score(self, ids: Tensor) -> Observations:
        """As :meth:`ByTraining.score`, without batch augments."""
        with batches_unmixed(self.session.runner.model):
            return super().score(ids)


def _rows(values: dict[str, Tensor], places: Tensor) -> dict[str, Tensor]:
    return {term: v[places.to(v.device)] for term, v in values.items()}
