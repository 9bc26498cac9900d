"""Makes a family's row: builds, runs and checks its model."""

import copy
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from benchmarks.timing import seconds
from mmengine.dist import get_rank
from torch import nn

from coverage_checks.checks import (
    check_alone,
    check_gradient,
    check_scoring,
    check_sums,
    check_terms,
    check_unchanged,
)
from coverage_checks.counts import Counts, counts
from coverage_checks.data import SIZES, Sizes, prepared
from coverage_checks.draws import repeatable, seed_all
from coverage_checks.listed import Family
from coverage_checks.reduce import build, load
from coverage_checks.settings import Setting
from coverage_checks.steps import (
    Step,
    captured_step,
    forward,
    plain_step,
)
from ies_mm.errors import UnsupportedModelError
from ies_mm.losses import capture_per_image_losses, check_supported
from ies_mm.losses.capture.processes import one_process
from ies_mm.losses.capture.registry import adapters_of

# Seconds and maximum number of pairs of steps for timing.
BUDGET, PAIRS = 5.0, 7
BOTH = Setting('2 images', 2, times=True, counts=True)
_DOWNLOADS = ('URLError', 'urlopen', 'huggingface', 'HTTPSConnection')
_OUT_OF_MEMORY = "can't allocate memory"


@dataclass(frozen=True)
class Row:
    """The result for a family.

    Attributes:
        family (Family): The family.
        verdict (str): 'exact', 'share-exact', 'fall-back', 'refused',
            'wrong' or 'not built'.
        note (str): The reason, if not exact.
        adapters (str): Names of the adapters that capture the losses.
        overhead (float, optional): Time of a captured step / a plain step.
        counts (Counts, optional): Operations that the capture adds.
    """

    family: Family
    verdict: str
    note: str = ''
    adapters: str = ''
    overhead: float | None = None
    counts: Counts | None = None


@repeatable()
def check_family(family: Family, setting: Setting = BOTH) -> Row:
    """Build a family's model and check its captured losses.

    Args:
        family (Family): The family.
        setting (Setting): Batch size and measurements. Defaults to two
            images, timed and counted.
    """
    row = Row(family, 'not built')
    try:
        cfg = load(family)
        seed_all(0)
        model = build(cfg, family)
        check_supported(model)
        row = replace(row, adapters=_adapters(model))
        # Use a copy: trying sizes changes the model.
        batches = _runnable(copy.deepcopy(model), cfg, family, setting.images)
        # Rebuild: mmpretrain's MultiTaskHead binds its heads when built.
        seed_all(0)
        plain = plain_step(build(cfg, family), batches[0])
    except UnsupportedModelError as refusal:
        return replace(row, verdict='refused', note=reason(refusal))
    except Exception as failure:  # A shipped config may raise anything.
        return replace(row, note=reason(failure))
    try:
        return _checked(row, model, plain, batches, setting)
    except UnsupportedModelError as refusal:
        return replace(row, verdict='refused', note=reason(refusal))
    except Exception as failure:  # The plain step raised none.
        verdict = 'not built' if _OUT_OF_MEMORY in str(failure) else 'wrong'
        return replace(row, verdict=verdict, note=reason(failure))


def reason(error: Exception) -> str:
    """An error as one line."""
    text = ' '.join(str(error).split()).partition('; supported')[0]
    kind = type(error).__name__
    if any(word in text for word in _DOWNLOADS):
        return f'needs a download ({kind})'
    if isinstance(error, UnsupportedModelError):
        return text
    return f'{kind}: {text[:200]}'


def _runnable(
    model: nn.Module, cfg: Any, family: Family, images: int
) -> list[dict]:
    """Batches of the smallest images that the model accepts.

    Only the first has ignored pixels: their number would enter the loss of an
    image alone, but not its per-image loss.
    """
    *tries, last = (
        (size * count)[:count]
        for count in _counts_of_images(images)
        for size in SIZES[family.library]
    )
    for sizes in tries:
        try:
            return _run(model, cfg, family, sizes)
        except Exception:  # A model may raise anything.
            continue
    return _run(model, cfg, family, last)


def _counts_of_images(images: int) -> tuple[int, ...]:
    """One image in a further process; a few models need more."""
    return (1, images + 1) if get_rank() else (images,)


def _run(
    model: nn.Module, cfg: Any, family: Family, sizes: Sizes
) -> list[dict]:
    seed_all(0)
    batches = [
        prepared(model, cfg, family.library, sizes, ignored)
        for ignored in (True, False)
    ]
    # Other processes may accept a size that this one does not.
    with one_process():
        plain_step(model, batches[0])
    return batches


def _checked(
    row: Row,
    model: nn.Module,
    plain: Step,
    batches: list[dict],
    setting: Setting,
) -> Row:
    data, whole = batches
    wrong = step_wrong(model, plain, data)
    if not wrong:
        row = replace(
            row,
            verdict='exact',
            overhead=overhead(model, data) if setting.times else None,
            counts=counts(model, data) if setting.counts else None,
        )
    if 'fall_back' in row.adapters:
        row = replace(row, verdict='fall-back')
    elif not wrong:
        wrong = check_alone(model, whole, row.family.copies)
        if wrong and row.family.share_exact:
            note = row.family.share_exact
            return replace(row, verdict='share-exact', note=note)
        if wrong and _is_rounding(model, whole, row.family.copies):
            wrong = []
    if wrong:
        return replace(row, verdict='wrong', note='; '.join(wrong[:3]))
    return row


def _is_rounding(model: nn.Module, data: dict, copies: int) -> bool:
    """Whether rounding alone makes the losses of images alone differ.

    Layers round differently for a batch and a single image. NMS may then keep
    another box, and deep untrained networks amplify the differences. Neither
    happens with the batch's proposals, or in double precision.
    """
    if not check_alone(model, data, copies, own_proposals=False):
        return True
    data = data | {'inputs': data['inputs'].double()}
    try:
        return not check_alone(model.double(), data, copies)
    except RuntimeError:  # An operation without double precision.
        return False


def step_wrong(model: nn.Module, plain: Step, data: dict) -> list[str]:
    """Errors of a captured step: score, train, score again."""
    wrong = check_scoring(model, data)
    ours, captured = captured_step(model, data)
    wrong += check_unchanged(ours, plain)
    wrong += check_terms(ours, captured, len(data['inputs']))
    if wrong:
        return wrong
    wrong = check_sums(ours, captured) + check_gradient(model, ours, captured)
    return wrong + check_scoring(model, data)


def overhead(model: Any, data: dict) -> float:
    """Time of a captured step / a plain step, the median of a few pairs."""

    def step(context: Callable[[], Any]) -> None:
        model.zero_grad()
        with context():
            model.parse_losses(forward(model, data))[0].backward()

    plain = partial(step, nullcontext)
    captured = partial(step, partial(capture_per_image_losses, model))
    ratios: list[float] = []
    end = time.monotonic() + BUDGET
    while not ratios or (time.monotonic() < end and len(ratios) < PAIRS):
        if len(ratios) % 2:
            ours, theirs = seconds(captured), seconds(plain)
        else:
            theirs, ours = seconds(plain), seconds(captured)
        ratios.append(ours / theirs)
    return statistics.median(ratios)


def _adapters(model: nn.Module) -> str:
    names = [adapter.__name__ for _, _, adapter in adapters_of(model)]
    return ', '.join(dict.fromkeys(names))
