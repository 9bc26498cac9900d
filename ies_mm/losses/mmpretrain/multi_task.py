"""Per-image losses of mmpretrain's ``MultiTaskHead``, a head of heads.

Every task has its own head, which gets only the images labelled for the task
and is served by its own adapter. An image without a label for a task has no
such loss. Source: mmpretrain's ``loss_convertor``.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from mmpretrain.models.heads import MultiTaskHead
from torch import Tensor, nn

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses.capture.patching import override
from ies_mm.losses.capture.registry import (
    Note,
    Wanted,
    find_adapter,
    register_adapter,
)
from ies_mm.losses.capture.terms import terms_of

_Noted = tuple[Tensor, Tensor | None, Tensor | None]
"""Losses, shares and missing of the images passed to a head."""


@register_adapter(MultiTaskHead, relies_on=('loss',))
@contextmanager
def multi_task_head(
    name: str, head: Any, want: Wanted, note: Note
) -> Iterator[None]:
    """Adapter for multi-task heads: wraps each task's ``loss``."""
    with ExitStack() as stack:
        for task, own in head.task_heads.items():
            stack.enter_context(_task(f'{name}.{task}', task, own, want, note))
        yield


@contextmanager
def _task(
    name: str, task: str, head: nn.Module, want: Wanted, note: Note
) -> Iterator[None]:
    found: dict[str, _Noted] = {}

    def own_note(
        term: str,
        losses: Tensor,
        shares: Tensor | None,
        missing: Tensor | None = None,
    ) -> None:
        found[term] = (losses, shares, missing)

    def loss(
        original: Callable, feats: tuple, samples: list, **kwargs: Any
    ) -> dict[str, Any]:
        # An earlier batch's: without a labelled image the head notes nothing.
        found.clear()
        batch: dict[str, Any] = original(feats, samples, **kwargs)
        has = [task in sample for sample in samples]
        if any(has) and not found:
            # mmpretrain binds the loss to the head on construction.
            raise UnsupportedModelError(
                f'{name} is a copy, whose loss is still that of the head it '
                'was copied from; rebuild the model and load its weights'
            )
        for term, value in terms_of(batch).items():
            labelled = torch.tensor(has, device=value.device)
            noted = found.get(term) or _nothing(value, want)
            note(f'{task}_{term}', *_spread(noted, labelled))
        return batch

    with (
        # Opened first, so that its values are noted when ``loss`` reads them.
        find_adapter(name, head)(name, head, want, own_note),
        override(head, 'loss', loss),
    ):
        yield


def _nothing(value: Tensor, want: Wanted) -> _Noted:
    """Values for a batch without a label, whose loss is zero."""
    none = value.new_zeros(0)
    return none, none if want.shares else None, None


def _spread(noted: _Noted, labelled: Tensor) -> _Noted:
    """Scatter the values of the labelled images into (N,) tensors."""

    def spread(values: Tensor) -> Tensor:
        every = values.new_zeros(len(labelled))
        # Indexing with a mask would wait for the number of its entries.
        return every.masked_scatter(labelled, values)

    losses, shares, missing = noted
    unlabelled = ~labelled
    if missing is not None:
        unlabelled = unlabelled | spread(missing)
    own_shares = None if shares is None else spread(shares)
    return spread(losses), own_shares, unlabelled
