"""Check that a model gives the losses that a method needs."""

from torch import nn

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses import check_supported
from ies_mm.methods.method import WEIGHTS, Method


def check_model(model: nn.Module, method: Method, fallback: bool) -> None:
    """Reject a model that the method cannot be trained with.

    Args:
        model (nn.Module): The model of the training.
        method (Method): The selection method.
        fallback (bool): See :func:`capture_per_image_losses`.

    Raises:
        UnsupportedModelError: A head has no adapter, and there is no fall-back
            or it does not give what the method needs.
    """
    check_supported(model, fallback=fallback)
    if not fallback or method.needs_steps != WEIGHTS:
        return
    try:
        check_supported(model, shares=True)
    except UnsupportedModelError as error:
        raise UnsupportedModelError(
            f'{method.name} {WEIGHTS}, and the fall-back has no shares to '
            'weight (fallback=True): take a method that weights nothing, or '
            f'write an adapter; {error}'
        ) from None
