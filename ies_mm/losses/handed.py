"""The losses that a training step passes to its optimizer wrappers."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor

from ies_mm.losses.capture.patching import override


@contextmanager
def handed_losses(optim_wrappers: Sequence[Any]) -> Iterator[list[Tensor]]:
    """Record the losses passed to ``update_params`` or ``backward``.

    Args:
        optim_wrappers (sequence of OptimWrapper): The step's wrappers.

    Yields:
        list of Tensor: Scalars without gradient, before division by the
        number of gradient accumulation steps.
    """
    handed: list[Tensor] = []
    with ExitStack() as stack:
        for wrapper in optim_wrappers:
            stack.enter_context(_noting(wrapper, handed))
        yield handed


@contextmanager
def _noting(wrapper: Any, handed: list[Tensor]) -> Iterator[None]:
    scaled = False

    def scale_loss(original: Callable, loss: Tensor) -> Tensor:
        nonlocal scaled
        scaled = True
        handed.append(loss.detach())
        return original(loss)

    def backward(original: Callable, loss: Tensor, **kwargs: Any) -> Any:
        nonlocal scaled
        # update_params passes its loss to scale_loss, then the divided loss
        # to backward; a step that calls backward itself does not.
        if not scaled:
            handed.append(loss.detach())
        scaled = False
        return original(loss, **kwargs)

    with (
        override(wrapper, 'scale_loss', scale_loss),
        override(wrapper, 'backward', backward),
    ):
        yield
