"""The table of all families, as Markdown."""

from collections import Counter
from collections.abc import Iterable
from itertools import groupby

from training_checks.trainings import SAVED

from coverage_checks.checks import ALONE, FLOOR, GRADIENT, SHARES
from coverage_checks.kept import TRAINING, Kept, Rows
from coverage_checks.rows import Row
from coverage_checks.settings import SETTINGS
from coverage_checks.versions import versions

_TEXT = """# Coverage

Which models have per-image losses, and how well they are captured. Written by
`tools/coverage.py` with {versions}, from the rows in `coverage.jsonl`.

{summary}

Each row is a shipped config. Its model has random weights and gets small
random images, some without objects. *2 images* and *16 images* are batches in
one process. *2 processes*: two images in one, and a single image with other
objects in the other, as in a last batch (three, if a model rejects one).

- **exact**: In a training step with capture, losses, gradients, buffers and
  the state of the random generators equal those of the plain step, to the bit,
  and nothing is left behind on the model. The shares of a term sum to it
  (within {shares:g}, relative), and their gradient is that of the loss (within
  {gradient:g} for each parameter). Per-image losses equal `model.loss` of the
  image alone in the same padded batch (within {alone:g}, with BatchNorm and
  random numbers fixed; where rounding exceeds that, with the RPN's proposals
  fixed, too, or in double precision). An image that the model itself cannot
  train on alone (PointRend and HTC without any RoI) is not compared. A scoring
  pass before and after the step gives the loss of a training forward with
  BatchNorm and dropout fixed (within {alone:g}), and leaves no trace.
- **share-exact**: all but the per-image losses; the reason is given.
- **fall-back**: all but the per-image losses, which are approximate.
- **refused**: `UnsupportedModelError`, with its text, before a training
  begins or in its first step.
- **wrong**: what was captured does not hold. There must be none.
- **not built**: the model could not be built or run here.
- **(...)**: found by an earlier version of the code.

Differences below {floor:g} of the total loss are ignored. *step* is the time
of a captured step (without shares) over that of the plain one, forward and
backward, with two images on one CPU core: the median of up to seven pairs. So
small a batch makes it larger than in a training. *operations*: those of a
captured and of a weighted step over those of the plain one, not counting
views. *waits*: additional operations that wait for a value, which on a GPU
costs more than the operation itself. Both are counted at 16 images. Named
families are in **bold**.

*training* (`--train`) trains the model with `IESHook` for eight epochs on a
dozen images, pruning {saved:.0%}. **trains**: every epoch trains exactly the
images that were selected; a run that is stopped and resumed equals one that is
not; and with `delta=0` it equals the plain run, both to the bit. If the plain
run itself cannot be repeated or resumed to the bit, the note says so. Two get
help that a plain run needs, too: PointRend only has images with objects, and
the sampler of Libra R-CNN begins as it is after its first step, which no
checkpoint holds.
"""
_COLUMNS = (
    'family',
    'config',
    'adapters',
    *(setting.title for setting in SETTINGS.values()),
    TRAINING,
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
        saved=SAVED,
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
    for setting in (*SETTINGS, TRAINING):
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
    titles = {name: setting.title for name, setting in SETTINGS.items()}
    for name, title in (titles | {TRAINING: TRAINING}).items():
        lines.append(
            f'- {title}: {_counts(named, name)}; '
            f'of all {len(rows)} rows {_counts(rows, name)}'
        )
    return lines


def _is_exact(found: dict[str, Kept]) -> bool:
    return all(
        found[setting].row.verdict == 'exact'
        for setting in SETTINGS
        if setting in found
    )


def _counts(rows: Rows, setting: str) -> str:
    counts = Counter(
        found[setting].row.verdict if setting in found else 'not tried'
        for found in rows.values()
    )
    return ', '.join(f'{n} {verdict}' for verdict, n in counts.most_common())
