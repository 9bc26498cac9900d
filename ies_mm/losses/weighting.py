"""Training on weighted per-image shares of the batch loss."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from ies_mm.losses.capture.captured import CapturedLosses
from ies_mm.losses.capture.patching import override
from ies_mm.losses.capture.terms import scalar
from ies_mm.losses.context import capture_per_image_losses, unwrap


@contextmanager
def weight_per_image_losses(
    model: nn.Module,
    weights: Tensor | Callable[[], Tensor] | None,
    fallback: bool = False,
    shares: bool = False,
) -> Iterator[CapturedLosses]:
    r"""Make the model return :math:`\sum_i w_i s_i` for each of its terms.

    :math:`s_i` is an image's share of the term's batch loss L. The sum is
    computed as :math:`L + \sum_i (w_i - 1) s_i`: with all weights 1 it equals
    the batch loss bit for bit, and its graph includes the model's whole graph
    (DDP waits for every parameter). The capture itself is that of
    :func:`capture_per_image_losses`.

    Args:
        model (nn.Module): As in :func:`capture_per_image_losses`.
        weights (Tensor or callable, optional): float (N,), one weight per
            image of the next loss forward, in batch order; or a callable that
            returns them after the forward. None leaves the forward unchanged,
            bit for bit.
        fallback (bool): As in :func:`capture_per_image_losses`; used only
            without weights. Defaults to False.
        shares (bool): Whether to capture shares even without weights.
            Defaults to False.

    Yields:
        CapturedLosses: Filled by the forward; the losses are unweighted.

    Raises:
        UnsupportedModelError: As in :func:`capture_per_image_losses`.
        ValueError: There is not exactly one weight per image.
    """
    if weights is None:
        with capture_per_image_losses(model, shares, fallback) as captured:
            yield captured
        return

    with capture_per_image_losses(model, shares=True) as captured:

        def loss(original: Callable, *args: Any, **kwargs: Any) -> Any:
            batch = original(*args, **kwargs)
            # Only now: before its forward, the order of images is not known.
            known = weights() if callable(weights) else weights
            # Keeps the order of the terms, in which parse_losses adds them up.
            return batch | _weighted(batch, captured, known)

        with override(unwrap(model), 'loss', loss):
            yield captured


def _weighted(
    batch: dict[str, Any], captured: CapturedLosses, weights: Tensor
) -> dict[str, Tensor]:
    weighted = {}
    for term in captured.losses:
        shares = captured.shares[term]
        if shares.shape != weights.shape:
            raise ValueError(
                f'{len(weights)} weights for {len(shares)} images in {term}'
            )
        added = (shares * (weights - 1).to(shares)).sum()
        weighted[term] = scalar(batch[term]) + added
    return weighted
