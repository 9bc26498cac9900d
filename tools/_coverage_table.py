"""The table of all families, as Markdown."""

from collections import Counter
from importlib import import_module
from itertools import groupby

from _coverage_checks import ALONE, FLOOR, GRADIENT, SHARES
from _coverage_rows import Row

_VERSIONS = ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmseg', 'mmpretrain')
_HEADER = (
    '| family | config | adapters | result | step | operations | waits |\n'
    '|---|---|---|---|---|---|---|'
)
_TEXT = """# Coverage

Of which models the per-image losses are captured, and how well. Written by
`{command}` with {versions}.

{summary}

Each row is a config that the library ships, its model built with random
weights and given {images} small random images with a different number of
objects{together}.

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

A difference below {floor:g} of the whole loss is not looked at. *step* is
the time of a captured step (without shares) by that of the plain one, forward
and backward, on one CPU core, the median of up to seven pairs: small images
make it larger than it is in a training. *operations*: those of a captured
and of a weighted step by those of the plain one, views not counted; *waits*:
operations beside the plain step's that wait for a value, which on a GPU costs
more than the operation. In **bold**: the named families, which
the summary counts.
"""


_TOGETHER = ', beside a second process with other objects and one image less'


def document(
    rows: list[Row], command: str, images: int = 2, processes: int = 1
) -> str:
    """The whole page.

    Args:
        rows (list of Row): In the order of the table.
        command (str): What wrote it.
        images (int): Batch size. Defaults to 2.
        processes (int): That trained together. Defaults to 1.
    """
    text = _TEXT.format(
        command=command,
        images={2: 'two'}.get(images, images),
        together=_TOGETHER if processes > 1 else '',
        versions=versions(),
        summary='\n'.join(_summary(rows)),
        shares=SHARES,
        gradient=GRADIENT,
        alone=ALONE,
        floor=FLOOR,
    )
    for library, part in groupby(rows, lambda row: row.family.library):
        lines = '\n'.join(map(line, part))
        text += f'\n## {library}\n{_HEADER}\n{lines}\n'
    return text


def line(row: Row) -> str:
    """A row of the table."""
    name = f'**{row.family.name}**' if row.family.named else row.family.name
    note = row.note.replace('|', '\\|').replace('`', "'")
    result = f'{row.verdict}: {note}' if note else row.verdict
    overhead = '' if row.overhead is None else f'{row.overhead:.2f}'
    operations = waits = ''
    if row.counts is not None:
        found = row.counts
        operations = f'{found.captured:.2f}, {found.weighted:.2f}'
        waits = str(found.waits)
    config = f'`{row.family.config}`'
    cells = (name, config, row.adapters, result, overhead, operations, waits)
    return f'| {" | ".join(cells)} |'


def versions() -> str:
    """Of what the models are made of."""
    found = [(name, import_module(name).__version__) for name in _VERSIONS]
    return ', '.join(f'{name} {version}' for name, version in found)


def _summary(rows: list[Row]) -> list[str]:
    named = [row for row in rows if row.family.named]
    exact = sum(row.verdict == 'exact' for row in named)
    yield_of = f'{exact} of {len(named)} named families are exact'
    lines = [f'**{yield_of}**']
    for library, part in groupby(named, lambda row: row.family.library):
        lines.append(f'- {library}: {_counts(list(part))}')
    return [lines[0] + '.', '', *lines[1:], f'- all rows: {_counts(rows)}']


def _counts(rows: list[Row]) -> str:
    counts = Counter(row.verdict for row in rows)
    return ', '.join(f'{n} {verdict}' for verdict, n in counts.most_common())
