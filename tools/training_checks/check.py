"""A family's model trained with IES to the end, and beside the plain run."""

import multiprocessing
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from coverage_checks.data import SIZES, Sizes
from coverage_checks.draws import repeatable
from coverage_checks.listed import Family
from coverage_checks.reduce import build, load
from coverage_checks.rows import Row, reason
from torch import Tensor

from ies_mm.engine import IESHook
from ies_mm.errors import UnsupportedModelError
from ies_mm.losses import check_supported
from ies_mm.report.records import read_epochs
from training_checks.trainings import (
    EPOCHS,
    SAVED,
    SHORT,
    Stop,
    Stopped,
    Training,
    train,
)

LIMIT = 3600
"""Seconds that a family's trainings may take."""

NOT_REPEATABLE = 'two plain runs differ'
NOT_RESUMABLE = 'resuming changes the plain run too'


def isolated_training(family: Family) -> Row:
    """:func:`check_training` in a process, which releases its memory."""
    context = multiprocessing.get_context('fork')
    with ProcessPoolExecutor(1, context) as pool:
        try:
            return pool.submit(_quietly, family).result(LIMIT)
        except TimeoutError:
            for process in pool._processes.values():
                process.kill()
            return Row(family, 'not built', f'takes more than {LIMIT} s')
        except BrokenProcessPool:
            return Row(family, 'not built', 'its process died')


def _quietly(family: Family) -> Row:
    quiet = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(quiet, stream)
    return check_training(family)


@repeatable()
def check_training(family: Family) -> Row:
    """Train a family's model with pruning, stopped and resumed.

    Args:
        family (Family): The family.

    Returns:
        Row: ``trains``: the training ends; each epoch trains the images that
        were selected, which are fewer than all; a run that was stopped and
        resumed equals one that was not, and with ``delta=0`` it is the plain
        run, to the bit. Where a plain run cannot be repeated or resumed to
        the bit either, the note says so.
    """
    row = Row(family, 'not built')
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        try:
            check_supported(build(load(family), family))
            sizes, plain = _trainable(family, place)
        except UnsupportedModelError as refusal:
            return replace(row, verdict='refused', note=reason(refusal))
        except Exception as failure:  # whatever a shipped config may raise
            return replace(row, note=reason(failure))
        try:
            return _checked(row, sizes, plain, place)
        except UnsupportedModelError as refusal:
            return replace(row, verdict='refused', note=reason(refusal))
        except Exception as failure:  # the plain run has none
            return replace(row, verdict='wrong', note=reason(failure))


def _trainable(family: Family, place: Path) -> tuple[Sizes, Training]:
    """The first image sizes that a plain training takes, and that training."""
    *others, last = SIZES[family.library]
    for sizes in others:
        with suppress(Exception):  # a model may raise anything
            return sizes, train(family, sizes, place / 'plain', SHORT)
    return last, train(family, last, place / 'plain', SHORT)


def _checked(row: Row, sizes: Sizes, plain: Training, place: Path) -> Row:
    """``trains``, with what even the plain run cannot do, or ``wrong``."""
    off = train(row.family, sizes, place / 'off', SHORT, IESHook(delta=0))
    if not _same(off.weights, plain.weights):
        again = train(row.family, sizes, place / 'again', SHORT)
        if _same(again.weights, plain.weights):
            note = 'with delta=0 it is not the plain run'
            return replace(row, verdict='wrong', note=note)
        row = replace(row, note=NOT_REPEATABLE)
    whole = train(row.family, sizes, place / 'whole', EPOCHS, _hook())
    if wrong := _selection_wrong(whole):
        return replace(row, verdict='wrong', note=wrong)
    if not row.note and not _resumes(row.family, sizes, place, whole):
        if _plain_resumes(row.family, sizes, place):
            note = 'resumed, it differs from the run that was not stopped'
            return replace(row, verdict='wrong', note=note)
        row = replace(row, note=NOT_RESUMABLE)
    return replace(row, verdict='trains')


def _hook() -> IESHook:
    return IESHook(
        delta=dict(type='Budget', saved=SAVED),
        order=0,
        window=1,
        keep_history=True,
    )


def _selection_wrong(found: Training) -> str:
    """What is wrong with the images that a training run trained."""
    if len(found.trained) != EPOCHS:
        return f'it ended after {len(found.trained)} of {EPOCHS} epochs'
    pairs = zip(found.trained, found.selected, strict=True)
    for epoch, (trained, selected) in enumerate(pairs, 1):
        if trained != selected:
            return f'epoch {epoch} trained {trained}, selected: {selected}'
    everything = set.union(*found.trained)
    if all(trained == everything for trained in found.trained):
        return 'no image was pruned'
    return ''


def _resumes(
    family: Family, sizes: Sizes, place: Path, whole: Training
) -> bool:
    found = _stopped_and_resumed(family, sizes, place / 'resumed', _hook)
    return (
        _same(found.weights, whole.weights)
        and found.trained == whole.trained[-len(found.trained) :]
        and _records(place / 'resumed') == _records(place / 'whole')
    )


def _plain_resumes(family: Family, sizes: Sizes, place: Path) -> bool:
    whole = train(family, sizes, place / 'plain whole', EPOCHS)
    found = _stopped_and_resumed(
        family, sizes, place / 'plain resumed', lambda: None
    )
    return _same(found.weights, whole.weights)


def _stopped_and_resumed(
    family: Family, sizes: Sizes, work_dir: Path, hook: Any
) -> Training:
    with suppress(Stopped):
        train(family, sizes, work_dir, EPOCHS, hook(), [Stop()])
    return train(family, sizes, work_dir, EPOCHS, hook(), resume=True)


def _records(work_dir: Path) -> list[dict]:
    return [
        {
            k: v
            for k, v in record.items()
            if not k.endswith(('_seconds', '_share'))
        }
        for record in read_epochs(work_dir)
    ]


def _same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    """Equal to the bit, NaN, infinity and the sign of zero included."""
    return found.keys() == expected.keys() and all(
        found[name].numpy().tobytes() == expected[name].numpy().tobytes()
        for name in found
    )
