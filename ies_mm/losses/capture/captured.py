"""The losses of the images of a batch, as they were captured."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses.capture.registry import supported
from ies_mm.losses.capture.terms import scalar

Losses = dict[str, Tensor]


class CapturedLosses:
    """What one forward left behind.

    Attributes:
        losses (dict): Term -> float32 (N,), each image as if it were alone in
            the batch: same outputs, same sampled anchors, RoIs and pixels,
            its own normaliser. Without gradient. NaN where the image has no
            such loss, see ``missing``.
        shares (dict): Term -> (N,), the parts of the batch loss, which they
            add up to; with gradient. Empty unless asked for.
        missing (dict): Term -> bool (N,), where the image has no such loss by
            its nature: a segmentation map without a valid pixel. A term of
            which no image can be without is not in it.
        returned (dict): Term -> scalar, what the model returned, which the
            shares add up to. Without gradient; empty as they are.
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
        """Take one term's (N,) values, by the model's name of the term.

        Args:
            term (str): The model's name.
            losses (Tensor): float32 (N,).
            shares (Tensor, optional): (N,), or None where not wanted.
            missing (Tensor, optional): bool (N,), True where the image has no
                such loss. Defaults to None, all have one.
        """
        if missing is not None:
            losses = losses.masked_fill(missing, torch.nan)
            self.missing[term] = missing
        self.losses[term] = losses
        if shares is not None:
            self.shares[term] = shares

    def totals(self) -> Tensor:
        """The loss of every image, its terms added up.

        Returns:
            Tensor: float32 (N,). A term that an image does not have counts
            zero; NaN where it has none at all.
        """
        losses = torch.stack(list(self.losses.values()))
        missing = torch.stack(
            [
                self.missing.get(term, torch.zeros_like(values).bool())
                for term, values in self.losses.items()
            ]
        )
        total = losses.masked_fill(missing, 0).sum(dim=0)
        return total.masked_fill(missing.all(dim=0), torch.nan)

    def check_images(self, samples: Sequence[Any] | None) -> None:
        """Compare with the images that the model was given.

        Args:
            samples (sequence, optional): Its data samples. Defaults to None,
                they are not known.

        Raises:
            UnsupportedModelError: Not one loss an image.
        """
        lengths = {len(values) for values in self.losses.values()}
        if samples is not None and lengths - {len(samples)}:
            raise UnsupportedModelError(
                f'the model made losses of {sorted(lengths)} images from a '
                f'batch of {len(samples)}; models that multiply their batch '
                '(TridentNet) are not supported'
            )

    def check_complete(self, model: nn.Module, batch: dict[str, Any]) -> None:
        """Compare with the model's own loss dict.

        Raises:
            UnsupportedModelError: The model has a loss that no adapter saw.
            UnsupportedModelError: It detaches one.
        """
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
        # A model may leave out a term that its head has computed.
        self.shares = {t: s for t, s in self.shares.items() if t in terms}
        returned = {t: scalar(batch[t]) for t in self.shares}
        for term, value in returned.items():
            if self.shares[term].requires_grad and not value.requires_grad:
                raise UnsupportedModelError(
                    f'{term}: the model detaches the term after its head has '
                    'computed it, so no image is trained by it; drop the '
                    'term, or give it loss_weight=0'
                )
        self.returned = {t: value.detach() for t, value in returned.items()}


def samples_of(*args: Any, **kwargs: Any) -> Any:
    """The data samples among the arguments of a model's ``loss``.

    They are in second place, under one of two names.
    """
    if len(args) > 1:
        return args[1]
    return kwargs.get('data_samples', kwargs.get('batch_data_samples'))
