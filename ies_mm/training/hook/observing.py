"""Where an epoch's observations come from.

Usually they come from its training steps. If these train mixtures of images,
no loss belongs to a single image: then either forward passes without mixing
score the images, or a mixture's loss is recorded for all images in it. Forward
passes may be asked for without mixing, too.
"""

from abc import ABC, abstractmethod
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


class Source(ABC):
    """Where the observations of an epoch come from.

    Args:
        session (Session): The session of the training.
    """

    interval = 0
    """Epochs between two scoring passes over all images; 0 for none."""

    needs_every_step = True
    """Whether every step's losses are needed."""

    one_image_per_sample = True
    """Whether a sample can be weighted for the image it was drawn for."""

    compared = True
    """Whether some steps are captured to be compared with the model's own."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @contextmanager
    def watching(self) -> Iterator[None]:
        """A context to keep open during a step."""
        yield

    @abstractmethod
    def note(self, batch: Batch, captured: Any) -> None:
        """Record a batch that was trained.

        Args:
            batch (Batch): The batch.
            captured (CapturedLosses): Its losses, in its order; None if they
                were not captured; then ``needs_every_step`` must be False.
        """

    def due(self, left_out: Tensor) -> Tensor:
        """Instances to score by forward passes after an epoch, int64 (M,).

        By default none.

        Args:
            left_out (Tensor): bool (N,), instances the epoch did not train.
        """
        return torch.arange(0)

    def score(self, ids: Tensor) -> Observations:
        """Observations from forward passes.

        Args:
            ids (Tensor): int64 (M,), instances.
        """
        return Observations(self.session.state.names)


class Scoring(Source):
    """A source that also scores images, by default pruned ones.

    Args:
        session (Session): The session of the training.
        refresher (Refresher): Scores the images.
    """

    def __init__(self, session: Session, refresher: Refresher) -> None:
        super().__init__(session)
        self.refresher = refresher

    def due(self, left_out: Tensor) -> Tensor:
        """The pruned instances that the method wants."""
        due = self.session.method.due(self.session.standing(uncounted=1))
        return torch.nonzero(left_out & due).flatten()

    def score(self, ids: Tensor) -> Observations:
        """As :meth:`Source.score`, by the refresher."""
        names = self.session.state.names
        return self.refresher.score(self.session.runner, ids, names)


class ByTraining(Scoring):
    """Each image by the loss that its training step computes anyway."""

    def note(self, batch: Batch, captured: Any) -> None:
        """Record the losses of a batch."""
        self.session.observed.add(
            batch.epochs, batch.ids, captured.losses, captured.missing
        )


class Unobserved(Source):
    """Observes no losses, so that no step is captured.

    Args:
        session (Session): The session of the training.
        mixing (bool): Whether the training mixes images.
    """

    needs_every_step = False
    compared = False

    def __init__(self, session: Session, mixing: bool) -> None:
        super().__init__(session)
        self.one_image_per_sample = not mixing

    def note(self, batch: Batch, captured: Any) -> None:
        """Record which images were trained."""
        self.session.observed.note_unobserved(batch.epochs, batch.ids)


class ByMixtures(Scoring):
    """Observes each image by the losses of all mixtures it is in."""

    _mates: Sequence[Tensor] = ()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note which images batch augments mix with each other."""
        with noting_mates(self.session.runner.model) as self._mates:
            yield

    def note(self, batch: Batch, captured: Any) -> None:
        """Record the loss of a mixture for every image in it."""
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
            # Negative: cached before the training, so it is not known which.
            [number, *(other for other in partners if other >= 0)]
            for number, partners in zip(
                batch.ids.tolist(), batch.partners, strict=True
            )
        ]
        # Copies, since the lists grow below while others still read them.
        own = [tuple(numbers) for numbers in found]
        for mates in self._mates:
            for place, other in mates.nonzero().tolist():
                if other != place:
                    found[place].extend(own[other])
        return found


class ByScoring(Scoring):
    """Observes all images by forward passes without mixing, every few epochs.

    Args:
        session (Session): The session of the training.
        refresher (Refresher): Scores images without mixing.
        interval (int): Epochs between two passes, at least 1.
        mixing (bool): Whether the training mixes images.
    """

    needs_every_step = False

    def __init__(
        self,
        session: Session,
        refresher: Refresher,
        interval: int,
        mixing: bool,
    ) -> None:
        super().__init__(session, refresher)
        self.interval = interval
        self.one_image_per_sample = not mixing

    def note(self, batch: Batch, captured: Any) -> None:
        """Record which images were trained, and the names of the terms."""
        names = self.session.state.names
        if captured is not None:
            names.extend(t for t in captured.losses if t not in names)
        self.session.observed.note_unobserved(batch.epochs, batch.ids)

    def due(self, left_out: Tensor) -> Tensor:
        """All images every few epochs; the method decides about the last."""
        epoch = self.session.state.epochs + 1
        due = epoch % self.interval == 0
        if epoch >= self.session.pace.max_epochs:
            due = self.session.method.observes_the_last_epoch
        return torch.arange(len(left_out) if due else 0)

    def try_out(self) -> None:
        """See :meth:`Refresher.try_out`."""
        runner = self.session.runner
        with batches_unmixed(runner.model):
            self.refresher.try_out(runner)

    def score(self, ids: Tensor) -> Observations:
        """As :meth:`Scoring.score`, without batch augments."""
        with batches_unmixed(self.session.runner.model):
            return super().score(ids)


def _rows(values: dict[str, Tensor], places: Tensor) -> dict[str, Tensor]:
    return {term: v[places.to(v.device)] for term, v in values.items()}
