"""Rows kept in a file, so that the page can be built over several runs."""

import ast
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

from coverage_checks.counts import Counts
from coverage_checks.listed import Family
from coverage_checks.rows import Row
from coverage_checks.versions import versions

_ROOT = Path(__file__).resolve().parents[2]
_SOURCES = (
    'ies_mm/errors.py',
    'ies_mm/losses/**/*.py',
    'ies_mm/training/scoring/held_layers.py',
    'ies_mm/training/scoring/scoring.py',
    'tools/coverage_checks/*.py',
)
# What a whole training depends on beside them.
_TRAINING = (
    'ies_mm/core/*.py',
    'ies_mm/methods/*.py',
    'ies_mm/methods/ies/*.py',
    'ies_mm/training/**/*.py',
    'tools/training_checks/*.py',
)
TRAINING = 'training'
"""Name of the setting of whole trainings."""

# A library's rows depend only on its own adapters; mmseg also trains mmdet's
# mask heads.
_ADAPTERS = {
    'mmdet': {'mmdet'},
    'mmseg': {'mmdet', 'mmseg'},
    'mmpretrain': {'mmpretrain'},
}
_EVERY_ADAPTER = {'mmdet', 'mmseg', 'mmpretrain', 'mmpose', 'mmrotate'}
# Rows do not contain the installation path of packages.
_PLACE = re.compile(r'/\S*/site-packages/')
# Files that handle finished rows, or only trainings.
_AFTERWARDS = ('kept.py', 'table.py', 'agreement.py')


@dataclass(frozen=True)
class Kept:
    """A row read from a file.

    Attributes:
        row (Row): The row.
        is_current (bool): Whether it was made by the current code and library
            versions.
    """

    row: Row
    is_current: bool


Rows = dict[Family, dict[str, Kept]]
"""The newest row of each family, by the name of its setting."""


def keep(row: Row, setting: str, file: Path) -> None:
    """Append a row to a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    row = replace(row, note=_PLACE.sub('', row.note))
    fields = dict(setting=setting, key=key(row.family.library, setting))
    fields |= asdict(row)
    with file.open('a') as kept:
        print(json.dumps(fields), file=kept)


def kept(file: Path) -> Rows:
    """The rows of a file, including those of earlier code."""
    rows: Rows = {}
    for fields in _lines(file):
        setting, made_by = fields.pop('setting'), fields.pop('key')
        family = Family(**fields.pop('family'))
        current = made_by == key(family.library, setting)
        if fields['counts']:
            fields['counts'] = Counts(**fields['counts'])
        row = Row(family, **fields)
        rows.setdefault(family, {})[setting] = Kept(row, current)
    return rows


def tidy(file: Path) -> None:
    """Keep the newest line of each family and setting, in a fixed order."""
    newest = {
        (*fields['family'].values(), fields['setting']): json.dumps(fields)
        for fields in _lines(file)
    }
    lines = [newest[place] for place in sorted(newest, key=str)]
    file.write_text('\n'.join(lines) + '\n')


@cache
def key(library: str, setting: str) -> str:
    """Hash of what a library's rows depend on: our code, library versions.

    Ignores comments and the location of code, as a row may take minutes.
    """
    sources = _SOURCES + (_TRAINING if setting == TRAINING else ())
    found = {path for source in sources for path in _ROOT.glob(source)}
    others = _EVERY_ADAPTER - _ADAPTERS[library]
    code = sorted(
        statement
        for path in found
        if path.name not in _AFTERWARDS and path.parent.name not in others
        for statement in _statements(path.read_text(encoding='utf-8'))
    )
    known = '\n'.join([versions(), *code])
    return hashlib.sha256(known.encode()).hexdigest()[:16]


def _statements(source: str) -> Iterator[str]:
    """Top-level statements of a module, without imports and docstrings."""
    module = ast.parse(source)
    for node in ast.walk(module):
        body = getattr(node, 'body', None)
        if isinstance(body, list):
            kept = [line for line in body if not _says_nothing(line)]
            vars(node)['body'] = kept
    yield from map(ast.dump, module.body)


def _says_nothing(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, ast.Import | ast.ImportFrom)


def _lines(file: Path) -> Iterator[dict]:
    if file.exists():
        yield from map(json.loads, file.read_text().splitlines())
