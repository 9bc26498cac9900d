"""The page's section on whether a method forgets what it prunes."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ies_mm.report.comparing.forgetting import (
    SHARE,
    Forgetting,
    Moment,
    forgetting_of,
)
from ies_mm.report.comparing.notes import Row
from ies_mm.report.reading.run_instances import read_instances
from ies_mm.report.showing.table import UNKNOWN


@dataclass(frozen=True)
class Forgotten:
    """A method's rows.

    Attributes:
        label (str): Label of the group.
        images (str): Which images were examined.
        back (str): How often they were re-included.
        rows (list of list of str): Epoch, loss of all and of the early
            images, accuracy on all and on the early ones.
    """

    label: str
    images: str
    back: str
    rows: list[list[str]]


def forgotten_by(
    rows: Sequence[Row], share: float = SHARE
) -> Iterator[Forgotten]:
    """Examine the first run of each group, if it kept all its epochs.

    Args:
        rows (sequence of Row): Rows of the comparison.
        share (float): Share of all images, those pruned first, to examine.
            Defaults to 5%.
    """
    for row in rows:
        run = row.group.runs[0]
        instances = read_instances(run) if run.selected else None
        found = instances and forgetting_of(instances, share)
        if found:
            yield _forgotten(row.group.label, found)


def _forgotten(label: str, found: Forgetting) -> Forgotten:
    return Forgotten(
        label,
        _pruned_first(found),
        f're-included {found.mean_back:.1f} times on average, '
        f'{found.most_back} at most',
        [_cells(moment) for moment in found.moments],
    )


def _pruned_first(found: Forgetting) -> str:
    if found.early == 1:
        return f'the 1 image of {found.images} that was pruned first'
    return f'the {found.early} of {found.images} images pruned first'


def _cells(moment: Moment) -> list[str]:
    losses = (moment.loss, moment.early_loss)
    shares = (moment.accuracy, moment.early_accuracy)
    return [
        str(moment.epoch),
        *(UNKNOWN if math.isnan(x) else f'{x:#.3g}' for x in losses),
        *(UNKNOWN if math.isnan(x) else f'{x:.1%}' for x in shares),
    ]
