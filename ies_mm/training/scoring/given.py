"""The images that the model's loss is really given.

Between the loader's batch and the loss stand the model's own training step
and its data preprocessor. The losses that are captured are in the order of
the samples that ``model.loss`` was given, whatever these made of the batch.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses import CapturedLosses
from ies_mm.losses.capture.captured import samples_of
from ies_mm.losses.capture.patching import override
from ies_mm.losses.context import unwrap
from ies_mm.training.data.tagging import instances_of


class Given:
    """What the one loss forward of a batch is given.

    Args:
        ids (Tensor): int64 (B,), the instances of the batch.
    """

    def __init__(self, ids: Tensor) -> None:
        self._expected = ids
        self._ids: Tensor | None = None

    @property
    def ids(self) -> Tensor:
        """int64 (B,), the instances in the order of the loss.

        Raises:
            UnsupportedModelError: There was no loss forward.
        """
        self.check()
        return cast(Tensor, self._ids)

    def check(self) -> None:
        """Refuse a step that computed no loss.

        Raises:
            UnsupportedModelError: There was no loss forward.
        """
        if self._ids is None:
            raise UnsupportedModelError(
                "the training step made no call of the model's loss, so "
                'there are no per-image losses; call the model with '
                "mode='loss'"
            )

    @contextmanager
    def noting(
        self, model: nn.Module, captured: CapturedLosses | None = None
    ) -> Iterator[None]:
        """Note the images of the loss forward inside of the context.

        Open it within the context that captures the losses, so that the
        fall-back's own passes are not counted.

        Args:
            model (nn.Module): The model, wrapped in DDP or not.
            captured (CapturedLosses, optional): What is captured. When the
                context ends it holds what it held after the loss forward: a
                head may be asked again in the same step, by an optimiser
                wrapper that looks at moved weights. Defaults to None.

        Raises:
            ConfigError: As :meth:`note`, before the loss is computed.
        """
        # Numbers are no part of a compiled forward, which would be another
        # one for every batch.
        note = torch.compiler.disable(self.note)
        first: dict[str, dict[str, Tensor]] = {}
        of_captured = {} if captured is None else vars(captured)

        @torch.compiler.disable
        def keep() -> None:
            first.update({k: dict(v) for k, v in of_captured.items()})

        def loss(original: Callable, *args: Any, **kwargs: Any) -> Any:
            note(samples_of(*args, **kwargs))
            losses = original(*args, **kwargs)
            keep()
            return losses

        with override(unwrap(model), 'loss', loss):
            yield
        of_captured.update(first)

    def note(self, samples: Sequence[Any] | None) -> None:
        """Take the data samples of the loss forward.

        Raises:
            ConfigError: They carry no number.
            UnsupportedModelError: It is the second, or of other images.
        """
        if self._ids is not None:
            raise UnsupportedModelError(
                "the model's loss is computed more than once in a training "
                'step, so it is not known which of them belongs to the '
                'batch; train with one forward pass a step, or without a '
                'selection hook'
            )
        self._ids = instances_of(samples)
        if sorted(self._ids.tolist()) != sorted(self._expected.tolist()):
            raise UnsupportedModelError(
                f"the model's loss was given {len(self._ids)} images, which "
                f'are not the {len(self._expected)} of the batch; a hook, '
                'train_step or data preprocessor that takes other images '
                'cannot be used with a selection hook'
            )

    def in_batch_order(self, captured: CapturedLosses) -> CapturedLosses:
        """What was captured, in the order of the batch.

        Args:
            captured (CapturedLosses): Of the loss forward; it is changed.
        """
        return in_order(captured, self.ids, self._expected)


def in_order(
    captured: CapturedLosses, ids: Tensor, wanted: Tensor
) -> CapturedLosses:
    """Losses by the order of other images.

    Args:
        captured (CapturedLosses): It is changed.
        ids (Tensor): int64 (B,), the instances that its losses are of.
        wanted (Tensor): int64 (B,), the same instances in another order.

    Returns:
        CapturedLosses: The same object.
    """
    if torch.equal(ids, wanted):
        return captured
    # An image has the same place among the sorted ones in both.
    order = torch.empty_like(ids)
    order[wanted.argsort(stable=True)] = ids.argsort(stable=True)
    for part in (captured.losses, captured.shares, captured.missing):
        for term, values in part.items():
            part[term] = values[order.to(values.device)]
    return captured
