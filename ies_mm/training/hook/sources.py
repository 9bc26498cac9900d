"""Picks where an epoch's observations come from."""

from contextlib import ExitStack
from typing import Any

from ies_mm.losses.capture.random_state import preserved_random_state
from ies_mm.training.hook.mixing_options import (
    MIXTURES,
    SCORING,
    interval_of,
    what_mixes,
)
from ies_mm.training.hook.observing import (
    ByMixtures,
    ByScoring,
    ByTraining,
    Source,
    Unobserved,
)
from ies_mm.training.hook.settings import Settings
from ies_mm.training.scoring.pipeline import described, scoring_pipelines
from ies_mm.training.scoring.refresh import Refresher
from ies_mm.training.scoring.unmixed import Unmixed
from ies_mm.training.state.session import Session


class Sources:
    """Picks where observations come from, as the training is now.

    The first call of :meth:`pick` must precede the first step.

    Args:
        session (Session): Of the training.
        settings (Settings): What the hook asks of it.

    Attributes:
        now (Source): The source that was picked last.
    """

    now: Source

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session = session
        self._settings = settings
        self._wanted = settings.mixing
        self._scope = ExitStack()
        self._mixing: list[str] | None = None

    def close(self) -> None:
        """Let the workers of scoring passes go."""
        self._scope.close()

    def pick(self, switched: bool = False) -> None:
        """Pick the source for what the training mixes now, and log it.

        Args:
            switched (bool): Whether a hook has switched a pipeline. Defaults
                to False.
        """
        mixing = what_mixes(self._session.runner, self._wanted)
        # A switched pipeline also changes how images are scored, even if the
        # same transforms mix them.
        own_pipeline = mixing or self._wanted.observe == SCORING
        if mixing != self._mixing or (own_pipeline and switched):
            self.close()
            self._mixing = mixing
            self.now = self._new()
            self._session.scored_every = self.now.interval

    def check_options(self) -> None:
        """Warn of options for scoring that have no effect as things are.

        Raises:
            ConfigError: The given pipeline cannot be built, or mixes images.
        """
        if isinstance(self.now, ByScoring):
            return
        runner, given = self._session.runner, self._wanted.scoring
        if given.pipeline is not None:
            # Not only once a hook switches to a pipeline that mixes images.
            with preserved_random_state():
                dataset = runner.train_dataloader.dataset
                scoring_pipelines(dataset, given.pipeline)
        for name in ('interval', 'pipeline'):
            if getattr(given, name) is not None:
                runner.logger.warning(
                    f'scoring.{name} has no effect {self._why_unused()}'
                )

    def _why_unused(self) -> str:
        """Why not all images are scored."""
        if isinstance(self.now, Unobserved):
            return f'as no losses of {self._session.method.name} are recorded'
        wanted = f'with observe={self._wanted.observe!r}'
        if self._wanted.observe == MIXTURES:
            return wanted
        return (
            f'{wanted} while no images are mixed; it is refresh_interval of '
            'IESHook that says when pruned images are scored'
        )

    def _new(self) -> Source:
        session = self._session
        if not self._settings.records_losses:
            return Unobserved(session, mixing=bool(self._mixing))
        if self._wanted.observe == SCORING:
            return self._by_scoring()
        if not self._mixing:
            return ByTraining(session, self._refresher())
        if self._wanted.observe == MIXTURES:
            self._say('the loss of a mixture is noted for all images in it')
            return ByMixtures(session, self._refresher())
        if not session.method.reads_losses:
            # Keeping a history alone is not worth scoring passes.
            self._say(f'{session.method.name} reads no loss, none is observed')
            return Unobserved(session, mixing=True)
        return self._by_scoring()

    def _by_scoring(self) -> ByScoring:
        session = self._session
        dataset = session.runner.train_dataloader.dataset
        pipelines = scoring_pipelines(dataset, self._wanted.scoring.pipeline)
        mixing = bool(self._mixing)
        default = interval_of(session.method, session.pace.max_epochs, mixing)
        interval = self._wanted.scoring.interval or default
        every = f'every {interval} epochs' if interval > 1 else 'each epoch'
        self._say(
            f'{every} all are scored by forward passes without mixing, by the '
            f'pipeline {described(pipelines[0])}'
        )
        images = Unmixed(session.instances, pipelines)
        source = ByScoring(session, self._refresher(images), interval, mixing)
        source.try_out()
        return source

    def _say(self, what: str) -> None:
        why = f'observe={SCORING!r}'
        if self._mixing:
            why = f'the training mixes images ({", ".join(self._mixing)})'
        self._session.runner.logger.info(f'{why}: {what}')

    def _refresher(self, images: Any = None) -> Refresher:
        session = self._session
        refresher = Refresher(
            session.runner.train_dataloader,
            session.instances,
            self._settings.fallback,
            self._wanted.scoring.batch_size,
            images,
        )
        self._scope.callback(refresher.close)
        return refresher
