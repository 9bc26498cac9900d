"""The ranking as CSV, in the terms of cleanlab and FiftyOne."""

import csv
import io
import math
from typing import Any

from ies_mm.report.names import file_of
from ies_mm.report.suspecting.ranking import Suspects
from ies_mm.report.values import printable

COLUMNS = (
    'filepath', 'index', 'rank', 'is_label_issue', 'label_quality',
    'mistakenness', 'loss', 'last_loss', 'never_mastered',
)  # fmt: skip


def as_csv(suspects: Suspects, share: float) -> str:
    """Format one line per image, the most suspicious first.

    ``index`` is the image's position in the dataset, from 0.
    ``label_quality`` and ``is_label_issue`` are cleanlab's terms,
    ``mistakenness`` (1 - quality) is FiftyOne's. With several terms, each has
    a column with its mean, which a term called ``loss`` has as ``term:loss``.
    Unknown values are empty.

    Args:
        suspects (Suspects): Ranked images of a run.
        share (float): Share of the images to mark as issues.
    """
    text = io.StringIO()
    terms = suspects.terms if len(suspects.terms) > 1 else []
    # A term may be called loss.
    several = [f'term:{t}' if t in COLUMNS else t for t in terms]
    writer = csv.DictWriter(
        text, [*COLUMNS, *several], lineterminator='\n', restval=''
    )
    writer.writeheader()
    marked = round(share * len(suspects.names))
    for place, image in enumerate(suspects.order.tolist()):
        writer.writerow(
            _row(suspects, image, several)
            | {
                'rank': place + 1,
                # Not an image that was never observed.
                'is_label_issue': place < marked
                and math.isfinite(suspects.loss[image]),
            }
        )
    return text.getvalue()


def _row(suspects: Suspects, image: int, terms: list[str]) -> dict[str, Any]:
    never, quality = suspects.never_mastered, suspects.quality[image]
    # A single term has a mean, but no column of its own.
    by_term = dict(zip(terms, suspects.by_term[image].tolist(), strict=False))
    return {
        'filepath': printable(str(file_of(suspects.names[image]))),
        'index': image,
        'label_quality': _number(quality),
        'mistakenness': _number(1 - quality),
        'loss': _number(suspects.loss[image]),
        'last_loss': _number(suspects.last[image]),
        'never_mastered': '' if never is None else bool(never[image]),
        **{term: _number(value) for term, value in by_term.items()},
    }


def _number(value: float) -> str:
    return f'{value:.6g}' if math.isfinite(value) else ''
