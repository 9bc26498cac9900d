"""Training steps: how they run, and what they train."""

from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Any

import torch
from mmengine.dist import all_gather_object
from torch import Tensor

from ies_mm.errors import ConfigError
from ies_mm.losses import CapturedLosses
from ies_mm.methods.method import WEIGHTS
from ies_mm.training.hook.clock import Clock
from ies_mm.training.hook.incoming import Batch
from ies_mm.training.hook.observing import Source
from ies_mm.training.hook.sources import Sources
from ies_mm.training.hook.step_comparison import StepComparison
from ies_mm.training.hook.wrapped_step import Step
from ies_mm.training.scoring.received_images import Given
from ies_mm.training.state.session import Session


class Steps:
    """The model's own steps, weighted if the selection has weights.

    Args:
        session (Session): The session of the training.
        sources (Sources): Where the epoch's observations come from.
        comparison (StepComparison): Captures the steps.
        clock (Clock): The epoch's clock.

    Attributes:
        selects (bool): Whether the steps themselves select what is trained.
    """

    selects = False

    def __init__(
        self,
        session: Session,
        sources: Sources,
        comparison: StepComparison,
        clock: Clock,
    ) -> None:
        self.session = session
        self.sources = sources
        self.comparison = comparison
        self.clock = clock
        self._terms_fit = False

    @property
    def source(self) -> Source:
        """Where the epoch's observations come from."""
        return self.sources.now

    def train(self, batch: Batch, step: Step) -> Any:
        """Train on a batch, weighted, and record its per-image losses.

        Args:
            batch (Batch): The loader's batch.
            step (callable): Runs the model's own ``train_step`` on data.

        Returns:
            What the model's ``train_step`` returned.
        """
        given = Given(batch.ids)
        weights: Callable[[], Tensor] | None = None
        if batch.weights is not None:
            self._check_weights()
            # Called after the forward: the loss's order is not known yet.
            weights = partial(given.in_loss_order, batch.weights)
        compared = self.source.compared and self.comparison.due
        # Capturing costs a few percent of a step, so not if nothing reads it.
        if not (self.source.needs_every_step or compared or weights):
            outputs = step(batch.data)
            self.source.note(batch, None)
            return outputs
        with (
            self.comparison.captured(weights) as captured,
            self.source.watching(),
            given.noting(self.session.runner.model, captured),
        ):
            outputs = step(batch.data)
        self.observe(batch, given.in_batch_order(captured))
        return outputs

    def observe(self, batch: Batch, captured: CapturedLosses) -> None:
        """Record a batch's losses under the epochs it belongs to.

        Args:
            batch (Batch): The batch.
            captured (CapturedLosses): Its losses, in its order.
        """
        self.source.note(batch, captured)

    def check_terms(self) -> None:
        """Check the terms found so far; call it on all ranks.

        Some batches may lack a term, as may all of a rank's epoch.

        Raises:
            ConfigError: The method cannot judge the model's terms.
        """
        if self._terms_fit:
            return
        parts = all_gather_object(self.session.observed.terms)
        names = [*dict.fromkeys(chain.from_iterable(parts))]
        if not names:
            return
        try:
            self.session.method.check_terms(names)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        self._terms_fit = True

    def scored(self) -> int:
        """Number of instances the epoch's steps scored without training."""
        return 0

    def scoring_seconds(self) -> float:
        """Seconds of the clock's pauses spent on that scoring."""
        return 0.0

    def recorded(self) -> dict[str, Any]:
        """Further entries for the record of an epoch that ends."""
        return {}

    def expected_excluded(self) -> int:
        """Number of instances that the coming epoch prunes."""
        return len(self.session.state.selection.excluded)

    def account(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """The instances that the epoch trained and those it pruned.

        Args:
            seen (Tensor): int64 (M,), the instances that were seen.

        Returns:
            tuple: trained and pruned, each bool (N,).
        """
        state = self.session.state
        trained = torch.zeros(state.instances, dtype=torch.bool)
        trained[seen] = True
        left_out = self.session.pace.left_out(
            state.epochs, state.selection, trained
        )
        return trained, left_out

    def _check_weights(self) -> None:
        """Refuse to weight samples that do not belong to a single image.

        Raises:
            ConfigError: The training mixes images.
        """
        if not self.source.one_image_per_sample:
            raise ConfigError(
                f'{self.session.method.name} {WEIGHTS}, and a sample that '
                "several images are mixed into has none; set observe='mixtu"
                "res' in the hook, or train without mixing"
            )
