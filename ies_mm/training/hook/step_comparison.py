"""Captures training steps and verifies that they train what is captured."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mmengine.runner import Runner
from torch import Tensor

from ies_mm.losses import CapturedLosses, weight_per_image_losses
from ies_mm.losses.agreement import Agreement
from ies_mm.training.loop.optimisers import optim_wrappers

FIRST_COMPARED = 2
"""First batches whose captured losses are compared with the model's own."""


class StepComparison:
    """Captures the losses of a training run's steps.

    The first batches of a training run, and of epochs ever further apart, are
    compared at once. Others that have shares are compared at the end of the
    epoch, since reading a sum waits for the device.

    Args:
        runner (Runner): The runner of the training.
        fallback (bool): See :func:`capture_per_image_losses`.
    """

    def __init__(self, runner: Runner, fallback: bool) -> None:
        self._model = runner.model
        self.fallback = fallback
        self._agreement = Agreement(
            runner.model, optim_wrappers(runner.optim_wrapper)
        )
        self.due = FIRST_COMPARED

    def begin_epoch(self, epoch: int) -> None:
        """Have the first batch of epochs 1, 2, 4, 8, ... compared."""
        if epoch.bit_count() == 1:
            self.due = max(self.due, 1)

    @contextmanager
    def captured(
        self, weights: Callable[[], Tensor] | None = None
    ) -> Iterator[CapturedLosses]:
        """Capture the step made in this context.

        Args:
            weights (callable, optional): Returns the images' weights, in the
                order of the loss. Defaults to None, a plain step.
        """
        now = self.due > 0
        self.due -= now
        with (
            weight_per_image_losses(
                self._model,
                weights,
                fallback=self.fallback,
                # The fallback gives losses only.
                shares=now and not self.fallback,
            ) as captured,
            self._agreement.watched(note_total=now),
        ):
            yield captured
        self._agreement.note_shares(captured, weights is not None)
        if now:
            self._agreement.check()

    def check(self) -> None:
        """Compare what was noted since the last comparison.

        Raises:
            UnsupportedModelError: The model trains on something else.
        """
        self._agreement.check()
