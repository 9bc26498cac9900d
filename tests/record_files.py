"""Records of three images, written without a training."""

from pathlib import Path
from typing import Any

import torch

from ies_mm.report import RunRecords

IMAGES = ['data/a/1.jpg', 'data/a/2.jpg', 'data/b/3.jpg']
END = {'epochs': 3, 'reason': 'planned'}


class Said(list):
    """Collects warnings."""


def records_of(
    folder: Path, said: Said | None = None, images: list[str] | None = None
) -> RunRecords:
    said = Said() if said is None else said
    return RunRecords(folder / 'ies', images or IMAGES, warn=said.append)


def add(
    records: RunRecords,
    epoch: int,
    terms: tuple[str, ...] = ('loss',),
    value: float | None = None,
    **others: Any,
) -> None:
    value = float(epoch) if value is None else value
    records.add(
        {'epoch': epoch, 'instances': 3} | others,
        [*terms],
        torch.tensor([0, 2]),
        torch.full((2, len(terms)), value),
        torch.tensor([True, False, True]),
    )


def finished(folder: Path) -> Path:
    """Three epochs of a finished training."""
    records = records_of(folder)
    records.open()
    for epoch in (1, 2, 3):
        add(records, epoch)
    records.end(END)
    return folder
