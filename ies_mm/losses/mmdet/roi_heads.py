"""Per-image losses of mmdet's RoI heads, single and cascaded.

A RoI head consists of parts, each with its own loss function: box, mask, mask
IoU, point, grid and semantic heads. Heads that inherit the losses of
``BBoxHead``, ``DIIHead`` or ``FCNMaskHead`` are split by rows; all others are
re-evaluated by image. A stage of a cascade prefixes its terms with ``s0.``,
``s1.``, ... and multiplies them by its weight.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from mmdet.models import roi_heads as heads
from torch import Tensor, nn

from ies_mm.losses.capture.calls import noted_calls
from ies_mm.losses.capture.patching import override
from ies_mm.losses.capture.registry import Note, Wanted, register_adapter
from ies_mm.losses.capture.terms import Terms, scalar
from ies_mm.losses.generic.by_image import asked_by_image
from ies_mm.losses.generic.portions import Call, Slices
from ies_mm.losses.generic.slicing import entry_of, image_of, rows_of
from ies_mm.losses.mmdet.batch_losses import check_losses
from ies_mm.losses.mmdet.box_rows import TERMS, has_rows, roi_term
from ies_mm.losses.mmdet.mask_rows import TERM, has_mask_rows, mask_term
from ies_mm.losses.mmdet.query_box_rows import (
    QUERY_TERMS,
    has_query_rows,
    query_term,
)
from ies_mm.losses.rows.rows import by_name

_STAGED = ('bbox_head', 'mask_head')
"""Heads that a cascade has one of per stage."""
_BY_ROWS = (
    (has_rows, TERMS, roi_term),
    (has_query_rows, QUERY_TERMS, query_term),
    (has_mask_rows, (TERM,), mask_term),
)
"""Whether a head inherits known losses, their terms, how to split them."""


@register_adapter(
    heads.CascadeRoIHead,
    heads.DoubleHeadRoIHead,
    heads.DynamicRoIHead,
    heads.GridRoIHead,
    heads.HybridTaskCascadeRoIHead,
    heads.MaskScoringRoIHead,
    heads.PointRendRoIHead,
    heads.SparseRoIHead,
    heads.StandardRoIHead,
    relies_on=('loss', 'bbox_loss', 'mask_loss'),
)
@contextmanager
def roi_head(
    name: str, head: nn.Module, want: Wanted, note: Note
) -> Iterator[None]:
    """Adapter for RoI heads: wraps the loss functions of their parts."""
    check_losses(name, head)
    with ExitStack() as stack:
        for part in parts_of(head):
            stack.enter_context(part.noted(want, note))
        yield


@dataclass(frozen=True)
class Part:
    """One head inside a RoI head.

    Attributes:
        head (Module): The head.
        prefix (str): Prefix of its terms, ``'s0.'`` in a cascade.
        weight (float): The factor by which the RoI head multiplies its losses.
    """

    head: Any
    prefix: str = ''
    weight: float = 1.0

    def noted(self, want: Wanted, note: Note) -> AbstractContextManager[None]:
        """Record its terms with prefix and weight applied."""

        def weighted(
            # A cascade multiplies after its heads have returned their losses.
            term: str,
            losses: Tensor,
            shares: Any,
            missing: Any = None,
        ) -> None:
            if shares is not None:
                shares = shares * self.weight
            note(self.prefix + term, losses * self.weight, shares, missing)

        for keeps_losses, terms, term_of in _BY_ROWS:
            if keeps_losses(self.head):
                return _by_rows(self.head, terms, term_of, want, weighted)
        method, slices, read = _asking(self.head)
        return asked_by_image(self.head, method, slices, read, want, weighted)


def parts_of(head: Any) -> list[Part]:
    """The heads with losses inside a RoI head, stage by stage."""
    parts = []
    weights: Any = getattr(head, 'stage_loss_weights', ())
    for name, child in head.named_children():
        if name in _STAGED and isinstance(child, nn.ModuleList):
            parts += [
                Part(part, f's{stage}.', weights[stage])
                for stage, part in enumerate(child)
            ]
        elif name in _STAGED or _has_loss(child):
            parts.append(Part(child))
    return parts


def _has_loss(child: nn.Module) -> bool:
    return any(hasattr(child, name) for name in ('loss', 'loss_and_target'))


@contextmanager
def _by_rows(
    head: Any,
    terms: tuple[str, ...],
    term_of: Callable[..., tuple[Tensor, Tensor | None]],
    want: Wanted,
    note: Note,
) -> Iterator[None]:
    signature = inspect.signature(head.loss_and_target)

    def loss_and_target(original: Callable, *args: Any, **kwargs: Any) -> dict:
        given = signature.bind(*args, **kwargs).arguments
        with noted_calls(head) as noted:
            result = original(*args, **kwargs)
        calls = by_name(noted)
        samples = given['sampling_results']
        for term in _terms(result):
            if term in terms:
                note(term, *term_of(term, calls, samples, want.shares))
        return result

    with override(head, 'loss_and_target', loss_and_target):
        yield


def _asking(head: Any) -> tuple[str, Slices, Callable[[Any], Terms]]:
    """A part's loss function, how to slice it and how to read its result."""
    if isinstance(head, heads.FusedSemanticHead):
        return 'loss', _semantic_slices, _semantic_terms
    if isinstance(head, heads.GridHead):
        return 'loss', _grid_slices, _terms
    return 'loss_and_target', _row_slices(head.loss_and_target), _terms


def _terms(result: dict[str, Any]) -> Terms:
    """Terms of ``dict(loss_mask=dict(loss_mask=...), ...)`` or a flat dict."""
    found: Terms = {}
    for name, value in result.items():
        if 'loss' not in name:
            continue
        if isinstance(value, dict):
            found |= _terms(value)
        else:
            found[name] = scalar(value)
    return found


def _semantic_terms(result: Tensor) -> Terms:
    return {'loss_semantic_seg': result}


def _semantic_slices(call: Call) -> list[Call]:
    images = len(call[0][0])
    return [(image_of(call[0], i, images), call[1]) for i in range(images)]


def _row_slices(function: Callable) -> Slices:
    """Slice by each image's number of rows in the sampling results."""
    signature = inspect.signature(function)

    def slices(call: Call) -> list[Call]:
        given = signature.bind(*call[0], **call[1]).arguments
        samples = given['sampling_results']
        lengths = (
            [len(sample.priors) for sample in samples],
            [len(sample.pos_priors) for sample in samples],
            [1] * len(samples),
        )

        def own(value: Any, image: int) -> Any:
            if isinstance(value, list):
                return entry_of(value, image)
            return rows_of(value, image, lengths)

        return [
            ((), {name: own(value, i) for name, value in given.items()})
            for i in range(len(samples))
        ]

    return slices


def _grid_slices(call: Call) -> list[Call]:
    """Slice a grid head, which gets some positive RoIs in any order."""
    (grid_pred, index, samples, *rest), kwargs = call
    parts: list[Call] = []
    first = 0
    for sample in samples:
        after = first + len(sample.pos_priors)
        own = (index >= first) & (index < after)
        pred = {name: value[own] for name, value in grid_pred.items()}
        parts.append(((pred, index[own] - first, [sample], *rest), kwargs))
        first = after
    return parts
