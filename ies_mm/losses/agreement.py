"""Check that the captured losses are what the model trains on.

An adapter knows the losses of a head. The model may process them further:
scale a term, call a head twice, add a penalty. Then the shares do not add up
to the objective, and the per-image losses are weighted differently.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses.capture.captured import CapturedLosses
from ies_mm.losses.capture.patching import override
from ies_mm.losses.capture.terms import terms_of
from ies_mm.losses.context import unwrap
from ies_mm.losses.handed import handed_losses

TOLERANCE = 0.01
"""Relative to the term and to the total loss; above mixed-precision error."""

TOTAL = 'the total loss'


class Agreement:
    """Compares sums over a batch; only :meth:`check` waits for the device.

    Args:
        model (nn.Module): Wrapped in DDP or not.
        optim_wrappers (sequence of OptimWrapper): The optimizer wrappers used
            in training. Defaults to none.
    """

    def __init__(
        self, model: nn.Module, optim_wrappers: Sequence[Any] = ()
    ) -> None:
        self._model: Any = unwrap(model)
        self._optim_wrappers = optim_wrappers
        self._noted: list[tuple[list[str], Tensor]] = []
        self._weighted: list[bool] = []

    def note_shares(self, captured: CapturedLosses, weighted: bool) -> None:
        """Record the sums of the shares and the values the model returned.

        Args:
            captured (CapturedLosses): The captured losses of one batch.
            weighted (bool): Whether the step trains on the weighted shares.
        """
        terms = list(captured.returned)
        if not terms:
            return
        # Not read here: that would wait for the device in every batch.
        sums = torch.stack([captured.shares[t].detach().sum() for t in terms])
        returned = torch.stack([captured.returned[t] for t in terms])
        self._note(terms, torch.stack([sums, returned.to(sums)]), weighted)

    @contextmanager
    def watched(self, note_total: bool) -> Iterator[None]:
        """Verify that a step trains on what ``model.loss`` returned.

        Args:
            note_total (bool): Whether to compare the total loss as well as
                the names of the terms.

        Raises:
            UnsupportedModelError: A term is added after ``model.loss``.
            UnsupportedModelError: The loss the step trains on is not visible.
        """
        returned: dict[str, Any] = {}
        parsed: list[Tensor] = []

        def loss(original: Callable, *args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            returned.clear()
            returned.update(result)
            return result

        def parse_losses(
            original: Callable,
            losses: dict[str, Any],
            *args: Any,
            **kwargs: Any,
        ) -> Any:
            if returned:  # Otherwise nothing was captured.
                self._check_names(losses, returned)
            result = original(losses, *args, **kwargs)
            # MMEngine returns (loss, log_vars), an override perhaps the loss.
            total = result if isinstance(result, Tensor) else result[0]
            parsed.append(total.detach())
            return result

        with ExitStack() as stack:
            stack.enter_context(override(self._model, 'loss', loss))
            if hasattr(self._model, 'parse_losses'):
                stack.enter_context(
                    override(self._model, 'parse_losses', parse_losses)
                )
            handed = stack.enter_context(
                handed_losses(self._optim_wrappers if note_total else ())
            )
            yield
        if note_total and returned:
            # A custom train_step may bypass the optimizer wrapper.
            self._note_total(returned, handed or parsed[-1:])

    def _note_total(self, returned: dict, trained: list[Tensor]) -> None:
        if not trained:
            raise UnsupportedModelError(
                f'{type(self._model).__name__}.train_step hands its loss '
                'neither to parse_losses nor to the optimizer wrapper, so it '
                'is not known what it trains on; call '
                'optim_wrapper.update_params(loss)'
            )
        parts = torch.stack([*terms_of(returned).values()]).sum().detach()
        # Each of several optimizer wrappers may be handed a part of the loss.
        total = torch.stack([part.to(parts) for part in trained]).sum()
        self._note([TOTAL], torch.stack([parts, total])[:, None])

    def _note(
        self, terms: list[str], pairs: Tensor, weighted: bool = False
    ) -> None:
        self._noted.append((terms, pairs))
        self._weighted.append(weighted)

    def check(self) -> None:
        """Compare what was recorded, then clear it.

        Raises:
            UnsupportedModelError: A term differs; names it, with both values.
        """
        if not self._noted:
            return
        noted, self._noted = self._noted, []
        weighted, self._weighted = torch.tensor(self._weighted), []
        terms = [term for names, _ in noted for term in names]
        # A single synchronisation for all of them.
        pairs = torch.cat([pair for _, pair in noted], dim=1).float().cpu()
        ours, theirs = pairs.unbind()
        lengths = torch.tensor([len(names) for names, _ in noted])
        batch = torch.arange(len(noted)).repeat_interleave(lengths)
        # Of the total as well: rounding may move a term near zero by more than
        # 1% of itself.
        whole = torch.zeros(len(noted)).index_add_(0, batch, theirs.abs())
        allowed = TOLERANCE * (theirs.abs() + whole[batch])
        # A batch whose loss is not finite passes: comparisons with NaN are
        # False.
        wrong = ours.isfinite() & ((ours - theirs).abs() > allowed)
        # A model may replace a loss that is not finite; weighting its shares
        # would bring it back.
        wrong |= weighted[batch] & theirs.isfinite() & ~ours.isfinite()
        for at in torch.nonzero(wrong).flatten():
            raise UnsupportedModelError(
                _disagreement(terms[at], float(ours[at]), float(theirs[at]))
            )

    def _check_names(self, losses: dict, returned: dict) -> None:
        more = [t for t in losses if 'loss' in t and t not in returned]
        if more:
            raise UnsupportedModelError(
                f'{type(self._model).__name__} trains on {", ".join(more)} '
                'beside what its loss() returns, so there is no per-image '
                'value of it; return it by a head with an adapter, see '
                'docs/adapters.md'
            )


def _disagreement(term: str, ours: float, theirs: float) -> str:
    if term == TOTAL:
        return (
            f'the terms that the model returns add up to {ours:.4g}, but it '
            f'trains on {theirs:.4g}: its forward, parse_losses, train_step '
            'or optimizer wrapper changes them after loss(), so per-image '
            'losses are not what is trained; do it in a head or in '
            'loss_weight'
        )
    if not math.isfinite(ours):
        return (
            f'{term}: the shares of the images add up to {ours}, but the '
            f'model returns {theirs:.4g}: it replaces a loss that is not '
            'finite, which is in its parts and so in a weighted training '
            'nevertheless; take the image out of the data, or train without '
            'weights'
        )
    return (
        f'{term}: the shares of the images add up to {ours:.4g}, but the '
        f'model returns {theirs:.4g}: it changes the term after its head has '
        'computed it, or the loss is no mean of values of its own; use '
        'loss_weight to scale a loss, or register an adapter, see '
        'docs/adapters.md'
    )
