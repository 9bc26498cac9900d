"""Context manager that captures the loss of every image of a batch."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from mmengine.model import is_model_wrapper
from torch import nn

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses.capture.captured import CapturedLosses, samples_of
from ies_mm.losses.capture.patching import override
from ies_mm.losses.capture.registry import (
    Note,
    Wanted,
    adapters_of,
    check_not_refused,
)
from ies_mm.losses.generic.fallback import past_the_features


@contextmanager
def capture_per_image_losses(
    model: nn.Module,
    shares: bool = False,
    fallback: bool = False,
) -> Iterator[CapturedLosses]:
    """Capture the per-image losses of the loss forward run in the context.

    The forward, its loss and the random numbers it draws are unchanged, bit
    for bit. A further loss forward in the same context overwrites the values
    of the previous one.

    Args:
        model (nn.Module): An mmdet detector, an mmseg segmentor or an
            mmpretrain classifier, wrapped in DDP or not.
        shares (bool): Whether to compute the shares too, the images'
            contributions to the batch loss. Defaults to False.
        fallback (bool): If a head has no adapter, whether to run the model
            once more per image, from the features on, see
            :mod:`ies_mm.losses.generic.fallback`. There are no shares then.
            Defaults to False, which refuses such a model.

    Yields:
        CapturedLosses: Filled by the forward.

    Raises:
        UnsupportedModelError: A head has no adapter (raised on entering).
        UnsupportedModelError: A loss does not come from a head (raised by
            the forward).
        UnsupportedModelError: Shares were requested and would need the
            fallback.
    """
    model = unwrap(model)
    captured = CapturedLosses()
    want = Wanted(fallback, shares)
    with ExitStack() as stack:
        stack.enter_context(_noting(model, want, captured.note))
        # Last, so that it also wraps the fallback, which overrides model.loss.
        stack.enter_context(_completeness(model, captured))
        yield captured


def check_supported(
    model: nn.Module, shares: bool = False, fallback: bool = False
) -> None:
    """Refuse a model with a head that has no adapter, before training.

    Args:
        model (nn.Module): As in :func:`capture_per_image_losses`.
        shares (bool): Whether shares will be needed. Defaults to False.
        fallback (bool): As in :func:`capture_per_image_losses`. Defaults to
            False.

    Raises:
        UnsupportedModelError: Names the head and lists the supported ones.
    """
    # Opening the adapters is the check; no forward pass is needed.
    with capture_per_image_losses(model, shares=shares, fallback=fallback):
        pass


def unwrap(model: nn.Module) -> nn.Module:
    """The model inside a (distributed) wrapper, or the model itself.

    A model is not a wrapper merely for having a submodule ``module``.
    """
    module = getattr(model, 'module', None)
    if is_model_wrapper(model) and isinstance(module, nn.Module):
        return module
    return model


@contextmanager
def _completeness(
    model: nn.Module, captured: CapturedLosses
) -> Iterator[None]:
    def loss(original: Callable, *args: Any, **kwargs: Any) -> Any:
        batch = original(*args, **kwargs)
        captured.check_complete(model, batch)
        captured.check_images(samples_of(*args, **kwargs))
        return batch

    with override(model, 'loss', loss):
        yield


def _noting(
    model: nn.Module, want: Wanted, note: Note
) -> AbstractContextManager[Any]:
    """The open adapters of all heads, or the fallback."""
    # First, as it also imports the adapters that adapters_of looks up.
    check_not_refused(model)
    with ExitStack() as stack:
        try:
            for name, head, adapter in adapters_of(model):
                stack.enter_context(adapter(name, head, want, note))
            # The caller closes them, or this stack if a later head is refused.
            return stack.pop_all()
        except UnsupportedModelError as error:
            if not want.fallback:
                raise
            if want.shares:
                raise UnsupportedModelError(
                    f'{error}; the fall-back has no shares'
                ) from None
    return past_the_features(model, note)
