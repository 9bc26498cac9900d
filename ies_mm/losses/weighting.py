"""Training on the weighted shares of the images of a batch."""

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
    r"""Have the model return :math:`\sum_i w_i s_i` for each of its terms.

    :math:`s_i` is an image's share of the term's batch loss L. The sum is
    computed as :math:`L + \sum_i (w_i - 1) s_i`: with all weights 1 that is
    the batch loss to the bit, and its graph has whatever the model's has
    (DDP waits for every parameter). What else is captured is as in
    :func:`capture_per_image_losses`.

    Args:
        model (nn.Module): As in :func:`capture_per_image_losses`.
        weights (Tensor or callable, optional): float (N,), of the images that
            the coming loss forward is given, in its order; or what says them
            once it has run. None leaves the forward as it is, to the bit.
        fallback (bool): As in :func:`capture_per_image_losses`; it serves
            where there are no weights. Defaults to False.
        shares (bool): Whether shares are captured where there are no weights
            too. Defaults to False.

    Yields:
        CapturedLosses: Filled by the forward; losses are without weights.

    Raises:
        UnsupportedModelError: As :func:`capture_per_image_losses`.
        ValueError: There is not one weight an image.
    """
    if weights is None:
        with capture_per_image_losses(model, shares, fallback) as captured:
            yield captured
        return

    with capture_per_image_losses(model, shares=True) as captured:

        def loss(original: Callable, *args: Any, **kwargs: Any) -> Any:
            batch = original(*args, **kwargs)
            known = weights() if callable(weights) else weights
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
