"""Container for the captured per-image losses of a batch."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses.capture.registry import supported
from ies_mm.losses.capture.terms import scalar

Losses = dict[str, Tensor]


class CapturedLosses:
    """The values captured during one loss forward.

    Attributes:
        losses (dict): Term -> float32 (N,), each image as if it were alone in
            the batch: same outputs, same sampled anchors, RoIs and pixels,
            its own normaliser. Without gradient. NaN where the image has no
            such loss, see ``missing``.
        shares (dict): Term -> (N,), the images' contributions, which add up
            to the batch loss; with gradient. Empty unless requested.
        missing (dict): Term -> bool (N,), True where the image inherently has
            no such loss, such as a segmentation map without a valid pixel.
            Terms that every image has are not included.
        returned (dict): Term -> scalar, the value the model returned, to
            which the shares add up. Without gradient; empty without shares.
    """

    def __init__(self) -> None:
        self.losses: Losses = {}
        self.shares: Losses = {}
        self.missing: Losses = {}
        self.returned: Losses = {}

    def note(
        self,
        term: str,
        losses: Tensor,
        shares: Tensor | None,
        missing: Tensor | None = None,
    ) -> None:
        """Store one term's (N,) values.

        Args:
            term (str): The model's name of the term.
            losses (Tensor): float32 (N,).
            shares (Tensor, optional): (N,), or None if not requested.
            missing (Tensor, optional): bool (N,), True where the image has no
                such loss. Defaults to None: all images have one.
        """
        if missing is not None:
            # NaN means not observed; a zero would be judged like any loss.
            losses = losses.masked_fill(missing, torch.nan)
            self.missing[term] = missing
        self.losses[term] = losses
        if shares is not None:
            self.shares[term] = shares

    def totals(self) -> Tensor:
        """The total loss of every image, summed over terms.

        Returns:
            Tensor: float32 (N,). A missing term counts as zero; NaN where
            all terms are missing.
        """
        losses = torch.stack(list(self.losses.values()))
        missing = torch.stack(
            [
                self.missing.get(term, torch.zeros_like(values).bool())
                for term, values in self.losses.items()
            ]
        )
        # Not nansum: a loss that is itself NaN has to make the total NaN.
        total = losses.masked_fill(missing, 0).sum(dim=0)
        return total.masked_fill(missing.all(dim=0), torch.nan)

    def check_images(self, samples: Sequence[Any] | None) -> None:
        """Check that there is one loss per image of the batch.

        Args:
            samples (sequence, optional): The batch's data samples. None skips
                the check.

        Raises:
            UnsupportedModelError: There is not one loss per image.
        """
        lengths = {len(values) for values in self.losses.values()}
        if samples is not None and lengths - {len(samples)}:
            raise UnsupportedModelError(
                f'the model made losses of {sorted(lengths)} images from a '
                f'batch of {len(samples)}; models that multiply their batch '
                '(TridentNet) are not supported'
            )

    def check_complete(self, model: nn.Module, batch: dict[str, Any]) -> None:
        """Check against the model's own loss dict.

        Raises:
            UnsupportedModelError: The model has a loss that no adapter saw.
            UnsupportedModelError: The model detaches a loss.
        """
        # As MMEngine's parse_losses, which adds up names with 'loss' in them.
        terms = [term for term in batch if 'loss' in term]
        missing = [term for term in terms if term not in self.losses]
        if missing:
            raise UnsupportedModelError(
                f'the model computes {", ".join(missing)} outside of the '
                f'supported heads ({supported(model)}), so there is no '
                'per-image value of it'
            )
        self.losses = {term: self.losses[term] for term in terms}
        self.missing = {t: m for t, m in self.missing.items() if t in terms}
        # A model may drop a term that its head computed.
        self.shares = {t: s for t, s in self.shares.items() if t in terms}
        returned = {t: scalar(batch[t]) for t in self.shares}
        for term, value in returned.items():
            # Shares of a frozen head have no gradient either: nothing is lost.
            if self.shares[term].requires_grad and not value.requires_grad:
                raise UnsupportedModelError(
                    f'{term}: the model detaches the term after its head has '
                    'computed it, so no image is trained by it; drop the '
                    'term, or give it loss_weight=0'
                )
        self.returned = {t: value.detach() for t, value in returned.items()}


def samples_of(*args: Any, **kwargs: Any) -> Any:
    """The data samples among the arguments of a model's ``loss``.

    They are the second argument, under one of two names.
    """
    if len(args) > 1:
        return args[1]
    return kwargs.get('data_samples', kwargs.get('batch_data_samples'))
