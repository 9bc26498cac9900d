"""The table of all families, as Markdown."""

from collections import Counter
from collections.abc import Iterable
from itertools import groupby

from coverage_checks.checks import ALONE, FLOOR, GRADIENT, SHARES
from coverage_checks.kept import Kept, Rows
from coverage_checks.rows import Row
from coverage_checks.settings import SETTINGS
from coverage_checks.versions import versions

_TEXT = """# Coverage

Of which models the per-image losses are captured, and how well. Written by
`tools/coverage.py` with {versions}, from the rows of `coverage.jsonl`.

{summary}

Each row is a config that the library ships, its model built with random
weights and given small random images, some without an object: two of them in
one process, 16, and two in one of two processes, the other one having a single
image with other objects, as in a last batch (three, where a model takes none).

- **exact**: in a training step with the capture, losses, gradients, buffers
  and the state of the random generators are those of the plain step, to the
  bit; nothing is left behind on the model. The shares of every term add up to
  it (to {shares:g} of it), and their gradient is that of the loss (to
  {gradient:g} of each parameter's). The per-image losses are what `model.loss`
  gives for the image alone, one image of the same padded batch (to {alone:g},
  BatchNorm and random numbers held still). A scoring pass, before and after
  the step, gives the loss of a training forward with BatchNorm and dropout
  held still (to {alone:g}), and leaves no trace.
- **share-exact**: all of this but the last; the reason is given.
- **fall-back**: all but the last; the adapter gives an approximation.
- **refused**: `UnsupportedModelError`, with its text, before a training
  begins or in its first step.
- **wrong**: what was captured does not hold. There must be none.
- **not built**: the model could not be built or run here.
- **(...)**: found by an earlier version of the code.

A difference below {floor:g} of the whole loss is not looked at. *step* is
the time of a captured step (without shares) by that of the plain one, forward
and backward, of two images on one CPU core, the median of up to seven pairs:
so small a batch makes it larger than it is in a training. *operations*: those
of a captured and of a weighted step by those of the plain one, views not
counted; *waits*: operations beside the plain step's that wait for a value,
which on a GPU costs more than the operation; both at 16 images. In **bold**:
the named families.
"""
_COLUMNS = (
    'family',
    'config',
    'adapters',
    *(setting.title for setting in SETTINGS.values()),
    'step',
    'operations',
    'waits',
)
_HEADER = f'| {" | ".join(_COLUMNS)} |\n{"|---" * len(_COLUMNS)}|'


def document(rows: Rows) -> str:
    """The whole page.

    Args:
        rows (dict): The results of each family, in the order of the table.
    """
    text = _TEXT.format(
        versions=versions(),
        summary='\n'.join(_summary(rows)),
        shares=SHARES,
        gradient=GRADIENT,
        alone=ALONE,
        floor=FLOOR,
    )
    for library, part in groupby(rows, lambda family: family.library):
        lines = '\n'.join(line(rows[family]) for family in part)
        text += f'\n## {library}\n{_HEADER}\n{lines}\n'
    return text


def line(found: dict[str, Kept]) -> str:
    """A row of the table.

    Args:
        found (dict): The results of a family, by name of the setting.
    """
    row = next(iter(found.values())).row
    name = f'**{row.family.name}**' if row.family.named else row.family.name
    cells = [name, f'`{row.family.config}`', row.adapters]
    cells += [*_verdicts(found), *_costs(found)]
    return f'| {" | ".join(cells)} |'


def verdict(row: Row) -> str:
    """The verdict, with the reason if there is one."""
    note = row.note.replace('|', '\\|').replace('`', "'")
    return f'{row.verdict}: {note}' if note else row.verdict


def _verdicts(found: dict[str, Kept]) -> Iterable[str]:
    """The verdicts; a reason is given only in the first column it is in."""
    said = set()
    for setting in SETTINGS:
        if setting not in found:
            yield ''
            continue
        row, text = found[setting].row, verdict(found[setting].row)
        text = row.verdict if text in said else text
        said.add(verdict(row))
        yield text if found[setting].is_current else f'({text})'


def _costs(found: dict[str, Kept]) -> Iterable[str]:
    small, large = (
        found[name].row if name in found else None
        for name in ('small', 'large')
    )
    timed = small is not None and small.overhead is not None
    yield f'{small.overhead:.2f}' if small and timed else ''
    counts = large.counts if large else None
    yield f'{counts.captured:.2f}, {counts.weighted:.2f}' if counts else ''
    yield str(counts.waits) if counts else ''


def _summary(rows: Rows) -> list[str]:
    named = {f: found for f, found in rows.items() if f.named}
    exact = sum(_is_exact(found) for found in named.values())
    yield_of = f'**{exact} of {len(named)} named families are exact**'
    lines = [f'{yield_of} wherever they were tried.', '']
    for name, setting in SETTINGS.items():
        lines.append(
            f'- {setting.title}: {_counts(named, name)}; '
            f'of all {len(rows)} rows {_counts(rows, name)}'
        )
    return lines


def _is_exact(found: dict[str, Kept]) -> bool:
    return all(kept.row.verdict == 'exact' for kept in found.values())


def _counts(rows: Rows, setting: str) -> str:
    counts = Counter(
        found[setting].row.verdict if setting in found else 'not tried'
        for found in rows.values()
    )
    return ', '.join(f'{n} {verdict}' for verdict, n in counts.most_common())
