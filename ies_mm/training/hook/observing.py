"""Where an epoch's observations come from.

As a rule from its training steps. Where these train mixtures of images, no
loss belongs to one image: then images are scored by forward passes without
mixing, or, by name, a mixture's loss is noted for all images in it.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.runner import Runner
from torch import Tensor

from ies_mm.core.arguments import check_integer
from ies_mm.methods.method import Method
from ies_mm.training.data.mixing import mixes, transforms_of
from ies_mm.training.hook.incoming import Batch
from ies_mm.training.scoring.pipeline import described, scoring_pipelines
from ies_mm.training.scoring.refresh import Refresher
from ies_mm.training.scoring.unmixed import (
    Unmixed,
    batch_augments,
    batches_unmixed,
    noting_mates,
)
from ies_mm.training.state.observations import Observations
from ies_mm.training.state.session import Session

SCORING, MIXTURES = 'scoring', 'mixtures'

LONGEST_INTERVAL = 10
"""A scoring pass takes 0.30 to 0.45 of an epoch (docs/performance.md)."""


@dataclass(frozen=True)
class Mixing:
    """What a user wants where the training mixes images.

    Args:
        observe (str): ``'scoring'``, by forward passes without mixing, or
            ``'mixtures'``, by the losses of mixtures. Defaults to
            ``'scoring'``.
        interval (int, optional): Epochs between two scoring passes. Defaults
            to None, see :func:`interval_of`.
        pipeline (list of dict, optional): By which images are scored. Defaults
            to None, made from the training's.
        in_place (bool): Whether batch augments count as mixing nothing: the
            loss of a mixture is then that of the image in whose place of the
            batch it stands. Defaults to False.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range.
    """

    observe: str = SCORING
    interval: int | None = None
    pipeline: Any = None
    in_place: bool = False

    def __post_init__(self) -> None:
        if self.observe not in (SCORING, MIXTURES):
            raise ValueError(
                f'observe={self.observe!r}: give {SCORING!r} or {MIXTURES!r}'
            )
        if self.interval is not None:
            check_integer('scoring_interval', self.interval, 1)
        if not isinstance(self.pipeline, list | None):
            raise TypeError(
                'scoring_pipeline must be a list of transforms, found '
                f'{type(self.pipeline).__name__}'
            )


def interval_of(method: Method, epochs: float) -> int:
    """Epochs between two scoring passes over all images.

    Ten, so that scoring stays below 5% of the training time; fewer where the
    method would otherwise know too little for more than half of the epochs.
    It is not measured: decisions would depend on the load of the machine.

    Args:
        method (Method): What needs observations.
        epochs (float): Of the whole training.
    """
    most = int(epochs) // (2 * (method.depth + 1))
    return max(1, min(LONGEST_INTERVAL, most))


def what_mixes(runner: Runner, wanted: Mixing) -> list[str]:
    """Names of the transforms and batch augments that mix images now."""
    dataset = runner.train_dataloader.dataset
    found = [part for _, part in transforms_of(dataset) if mixes(part)]
    if not wanted.in_place:
        found += batch_augments(runner.model)
    return [*dict.fromkeys(type(part).__name__ for part in found)]


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


class Sources:
    """Picks where observations come from, as the training is now.

    Args:
        session (Session): Of the training.
        wanted (Mixing): What the user wants where images are mixed.
        fallback (bool): See :class:`Refresher`.
        batch_size (int, optional): See :class:`Refresher`.
    """

    def __init__(
        self,
        session: Session,
        wanted: Mixing,
        fallback: bool,
        batch_size: int | None,
    ) -> None:
        self._session = session
        self._wanted = wanted
        self._arguments = (fallback, batch_size)
        self._scope = ExitStack()
        self._mixing: list[str] | None = None
        self._source: ByTraining

    def close(self) -> None:
        """Let the workers of scoring passes go."""
        self._scope.close()

    def pick(self, switched: bool = False) -> ByTraining:
        """The source for what the training mixes now; said in the log.

        Args:
            switched (bool): Whether a hook has switched a pipeline. Defaults
                to False.
        """
        now = what_mixes(self._session.runner, self._wanted)
        if now != self._mixing or (now and switched):
            self.close()
            self._mixing = now
            self._source = self._new()
            self._session.scored_every = self._source.interval
        return self._source

    def _new(self) -> ByTraining:
        session = self._session
        if not self._mixing:
            return ByTraining(session, self._refresher())
        if self._wanted.observe == MIXTURES:
            self._say('the loss of a mixture is noted for all images in it')
            return ByMixtures(session, self._refresher())
        dataset = session.runner.train_dataloader.dataset
        pipelines = scoring_pipelines(dataset, self._wanted.pipeline)
        interval = self._wanted.interval
        if not session.method.reads_losses:
            interval = 0
        elif interval is None:
            interval = interval_of(session.method, session.pace.max_epochs)
        images = Unmixed(session.instances, pipelines)
        source = ByScoring(session, self._refresher(images), interval)
        if not interval:
            self._say(f'{session.method.name} reads no loss, none is observed')
            return source
        every = f'every {interval} epochs' if interval > 1 else 'each epoch'
        self._say(
            f'{every} all are scored by forward passes without mixing, by the '
            f'pipeline {described(pipelines[0])}'
        )
        source.try_out()
        return source

    def _say(self, what: str) -> None:
        names = ', '.join(self._mixing or ())
        self._session.runner.logger.info(
            f'the training mixes images ({names}): {what}'
        )

    def _refresher(self, images: Any = None) -> Refresher:
        session = self._session
        refresher = Refresher(
            session.runner.train_dataloader,
            session.instances,
            *self._arguments,
            images,
        )
        self._scope.callback(refresher.close)
        return refresher


def _rows(values: dict[str, Tensor], places: Tensor) -> dict[str, Tensor]:
    return {term: v[places.to(v.device)] for term, v in values.items()}
