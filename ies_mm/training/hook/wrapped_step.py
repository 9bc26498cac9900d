"""Redirects ``train_step`` once per iteration."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from ies_mm.errors import ConfigError, UnsupportedModelError
from ies_mm.losses.capture.patching import override
from ies_mm.training.data.shown_images import batch_instances

Step = Callable[[Any], Any]
"""Runs the model's own ``train_step`` on some data."""


class WrappedStep:
    """Redirects the next ``train_step`` of a model.

    A custom loop may omit the step of an iteration. Several steps on the same
    images are refused, since only the first would be captured and weighted.
    """

    def __init__(self) -> None:
        self._scope = ExitStack()

    def prepare(
        self, model: nn.Module, ids: Tensor, run: Callable[[Any, Step], Any]
    ) -> None:
        """Redirect the next step to ``run``.

        Args:
            model (nn.Module): Wrapped in DDP or not.
            ids (Tensor): int64 (B,), the images of the next step.
            run (callable): Called as ``run(data, step)`` instead.
        """
        self.close()

        def train_step(
            original: Callable, data: Any, *args: Any, **kwargs: Any
        ) -> Any:
            # First, so that no exception can leave it in place.
            self.close()
            outputs = run(data, lambda data: original(data, *args, **kwargs))
            self._refuse_another(model, ids)
            return outputs

        self._put(model, train_step)

    def close(self) -> None:
        """Restore the model's own step at the end of the iteration."""
        self._scope.close()

    def _refuse_another(self, model: nn.Module, ids: Tensor) -> None:
        def train_step(
            original: Callable, data: Any, *args: Any, **kwargs: Any
        ) -> Any:
            # A hook may make a step of its own, on other data.
            if not _shows(data, ids):
                return original(data, *args, **kwargs)
            self.close()
            raise UnsupportedModelError(
                'an iteration makes more than one train_step of its images, '
                'and only the first has per-image losses and weights; make '
                'one step per iteration, or train without a selection hook'
            )

        self._put(model, train_step)

    def _put(self, model: nn.Module, train_step: Callable) -> None:
        self._scope.enter_context(
            override(model, 'train_step', Replacement(train_step))
        )


class Replacement:
    """A replacement of the model's step; copies of the model get the original.

    A hook may copy or save the whole model in the middle of an iteration.
    """

    def __init__(self, step: Callable) -> None:
        self._step = step

    def __call__(self, original: Callable, *args: Any, **kwargs: Any) -> Any:
        return self._step(original, *args, **kwargs)

    def __reduce__(self) -> tuple:
        return Replacement, (_as_it_is,)


def _as_it_is(original: Callable, *args: Any, **kwargs: Any) -> Any:
    return original(*args, **kwargs)


def _shows(data: Any, ids: Tensor) -> bool:
    """Whether a batch shows these images; False if it has no numbers."""
    try:
        found = batch_instances(data)
    except ConfigError:
        return False
    return torch.equal(found.sort().values, ids.sort().values)
