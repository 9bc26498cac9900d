"""``train_step``, made to go another way once an iteration."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from ies_mm.errors import ConfigError, UnsupportedModelError
from ies_mm.losses.capture.patching import override
from ies_mm.training.data.identity import batch_instances

Step = Callable[[Any], Any]
"""The model's own ``train_step`` of some data."""


class WrappedStep:
    """Has the coming ``train_step`` of a model go another way, once.

    A loop of the user's own may leave the step of an iteration out. One that
    makes several of the same images is refused: the first alone would be
    captured and weighted.
    """

    def __init__(self) -> None:
        self._scope = ExitStack()

    def prepare(
        self, model: nn.Module, ids: Tensor, run: Callable[[Any, Step], Any]
    ) -> None:
        """Have the coming step go through ``run``.

        Args:
            model (nn.Module): Wrapped in DDP or not.
            ids (Tensor): int64 (B,), the images of the coming step.
            run (callable): Called as ``run(data, step)`` in its place.
        """
        self.close()

        def train_step(
            original: Callable, data: Any, *args: Any, **kwargs: Any
        ) -> Any:
            # First of all, so that no exception can leave it in place.
            self.close()
            outputs = run(data, lambda data: original(data, *args, **kwargs))
            self._refuse_another(model, ids)
            return outputs

        self._put(model, train_step)

    def close(self) -> None:
        """Leave the model as it was; the iteration is over."""
        self._scope.close()

    def _refuse_another(self, model: nn.Module, ids: Tensor) -> None:
        def train_step(
            original: Callable, data: Any, *args: Any, **kwargs: Any
        ) -> Any:
            if not _shows(data, ids):
                return original(data, *args, **kwargs)
            self.close()
            raise UnsupportedModelError(
                'an iteration makes more than one train_step of its images, '
                'of which the first alone has per-image losses and weights; '
                'make one step an iteration, or train without a selection '
                'hook'
            )

        self._put(model, train_step)

    def _put(self, model: nn.Module, train_step: Callable) -> None:
        self._scope.enter_context(
            override(model, 'train_step', Replacement(train_step))
        )


class Replacement:
    """A step in the place of the model's; a copy of the model has its own.

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
    """Whether a batch shows these images; one of other origin does not."""
    try:
        found = batch_instances(data)
    except ConfigError:
        return False
    return torch.equal(found.sort().values, ids.sort().values)
