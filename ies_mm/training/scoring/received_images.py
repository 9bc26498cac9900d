"""The images that the model's loss actually receives.

Between the loader's batch and the loss are the model's own training step and
its data preprocessor. Whatever these do to the batch, the captured losses are
in the order of the samples passed to ``model.loss``.
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
    """The instances passed to the single loss forward of a batch.

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
        """Reject a step that computed no loss.

        Raises:
            UnsupportedModelError: There was no loss forward.
        """
        if self._ids is None:
            raise UnsupportedModelError(
                "the training step did not call the model's loss, so there "
                "are no per-image losses; call the model with mode='loss'"
            )

    @contextmanager
    def noting(
        self, model: nn.Module, captured: CapturedLosses | None = None
    ) -> Iterator[None]:
        """Note the images of the loss forward inside the context.

        Enter it within the context that captures the losses, so that the
        fallback's own passes are not counted.

        Args:
            model (nn.Module): The model, wrapped in DDP or not.
            captured (CapturedLosses, optional): The captured losses. On exit
                they are reset to those of the loss forward, since an
                optimiser wrapper that evaluates moved weights may call a head
                again in the same step. Defaults to None.

        Raises:
            ConfigError: As :meth:`note`, before the loss is computed.
        """
        # Keep the numbers out of a compiled forward, which would otherwise be
        # recompiled for every batch.
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
            UnsupportedModelError: It is the second loss forward, or shows
                other images.
        """
        if self._ids is not None:
            raise UnsupportedModelError(
                "the model's loss is computed more than once in a training "
                'step, so it is not known which of them belongs to the '
                'batch; train with one forward pass per step, or without a '
                'selection hook'
            )
        self._ids = instances_of(samples)
        # Lists, not sets: a batch may show an image twice.
        if sorted(self._ids.tolist()) != sorted(self._expected.tolist()):
            raise UnsupportedModelError(
                f"the model's loss was given {len(self._ids)} images, which "
                f'are not the {len(self._expected)} of the batch; a hook, '
                'train_step or data preprocessor that takes other images '
                'cannot be used with a selection hook'
            )

    def in_batch_order(self, captured: CapturedLosses) -> CapturedLosses:
        """Reorder the captured losses to the order of the batch.

        Args:
            captured (CapturedLosses): Losses of the loss forward; changed in
                place.
        """
        return in_order(captured, self.ids, self._expected)

    def in_loss_order(self, values: Tensor) -> Tensor:
        """Reorder values of the batch's samples to the order of the loss.

        Args:
            values (Tensor): (B,), in the order of the batch.
        """
        return values[_order(self._expected, self.ids)]


def in_order(
    captured: CapturedLosses, ids: Tensor, wanted: Tensor
) -> CapturedLosses:
    """Reorder captured losses.

    Args:
        captured (CapturedLosses): Changed in place.
        ids (Tensor): int64 (B,), the instances in its current order.
        wanted (Tensor): int64 (B,), the same instances in another order.

    Returns:
        CapturedLosses: The same object.
    """
    if torch.equal(ids, wanted):
        return captured
    order = _order(ids, wanted)
    for part in (captured.losses, captured.shares, captured.missing):
        for term, values in part.items():
            part[term] = values[order.to(values.device)]
    return captured


def _order(ids: Tensor, wanted: Tensor) -> Tensor:
    """The places in ``ids`` of the instances of ``wanted``, int64 (B,)."""
    # Once sorted, both have an image in the same place.
    order = torch.empty_like(ids)
    order[wanted.argsort(stable=True)] = ids.argsort(stable=True)
    return order
