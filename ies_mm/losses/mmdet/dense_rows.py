"""Per-image losses of mmdet's dense, query and mask heads, by rows.

Tracing the head's own flattening shows which image a row belongs to
(:mod:`ies_mm.losses.tracing.follow`); the normalisers of a single image are
declared (:mod:`ies_mm.losses.mmdet.dense_divisors`). Nothing is re-evaluated.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import torch
from mmdet.models.dense_heads import DDODHead
from torch import Tensor

from ies_mm.losses.capture.calls import LossCall, noted_calls
from ies_mm.losses.capture.patching import override, uncompiled
from ies_mm.losses.capture.registry import Note, Wanted
from ies_mm.losses.capture.terms import terms_of
from ies_mm.losses.generic.portions import Call
from ies_mm.losses.mmdet.dense_divisors import is_layered, row_terms
from ies_mm.losses.mmdet.divisors import Term
from ies_mm.losses.mmdet.targets import owned_targets
from ies_mm.losses.rows.row_calls import RowCalls, parts_of, unnormalised
from ies_mm.losses.tracing.follow import traced

Outputs = Callable[[Call], tuple[list[tuple[Tensor, int | None]], int]]
"""Arguments of a loss -> its output tensors, each with its image axis (None:
the tensors belong to one image after the other), and N."""


@contextmanager
def asked_by_rows(
    head: Any,
    outputs: Outputs,
    named: Callable[[str], str],
    want: Wanted,
    note: Note,
) -> Iterator[None]:
    """Record per-image losses whenever the head computes its losses.

    Args:
        head (Module): A head with row terms.
        outputs (callable): Picks the outputs from the arguments of
            ``head.loss_by_feat``.
        named (callable): A term of the head -> the model's name of it.
        want (Wanted): What to provide.
        note (callable): See
            :meth:`~ies_mm.losses.context.CapturedLosses.note`.
    """

    def loss_by_feat(original: Callable, *args: Any, **kwargs: Any) -> dict:
        found, images = outputs((args, kwargs))
        with (
            traced(found, images),
            owned_targets(head, images),
            noted_calls(head) as noted,
            _noted_factors(head, noted),
        ):
            result = original(*args, **kwargs)
        values = terms_of(result)
        # For every batch: TOOD's and YOLOX's terms change during a training.
        terms = row_terms(head)
        device = found[0][0].device
        for prefix, calls in _groups(head, terms, result, noted):
            rows = RowCalls(tuple(calls), images, device, prefix)
            for term in terms:
                name = prefix + (term.name or term.module)
                of_images = _values(term, rows, values[name], want)
                note(named(name), *of_images)
        return result

    with override(head, 'loss_by_feat', uncompiled(loss_by_feat)):
        yield


@contextmanager
def _noted_factors(head: Any, noted: list[LossCall]) -> Iterator[None]:
    """Record the factors by which DDOD weights the losses of each level.

    They depend on the positives of the whole training so far, so an image
    uses those of its batch.
    """

    def level(original: Callable, *args: Any, **kwargs: Any) -> Any:
        before = len(noted)
        result = original(*args, **kwargs)
        # The last positional argument; the batch's count is a keyword.
        noted[before:] = [replace(c, factor=args[-1]) for c in noted[before:]]
        return result

    with ExitStack() as stack:
        for method in ('loss_cls_by_feat_single', 'loss_reg_by_feat_single'):
            if isinstance(head, DDODHead):
                stack.enter_context(override(head, method, level))
        yield


def _groups(
    head: Any, terms: Sequence[Term], result: dict, noted: list[LossCall]
) -> Iterator[tuple[str, list[LossCall]]]:
    """The calls of each decoder layer, by the prefix of its terms."""
    if not is_layered(head):
        yield '', noted
        return
    # By identity: a call does not say which layer it belongs to.
    calls = {id(call.output): call for call in noted}
    last = terms[-1].module
    for name in result:
        if name.endswith(last):
            prefix = name.removesuffix(last)
            values = [result[prefix + term.module] for term in terms]
            yield (
                prefix,
                # Without a match, mmdet returns a plain sum that no loss
                # module computed.
                [calls[id(v)] for v in values if id(v) in calls],
            )


def _values(
    term: Term, rows: RowCalls, value: Tensor, want: Wanted
) -> tuple[Tensor, Tensor | None]:
    with torch.set_grad_enabled(want.shares and torch.is_grad_enabled()):
        calls = rows.of(term.module, term.unreduced)
        sums = unnormalised(calls, term.unreduced, rows.zeros())
    losses = sums.detach() / (term.own(rows) * term.by)
    return losses, parts_of(value, sums) if want.shares else None
