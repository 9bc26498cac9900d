"""Rows kept in a file, so that a long run can be gone on with."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path

from _coverage_counts import Counts
from _coverage_families import Family
from _coverage_rows import Row
from _coverage_table import versions

_ROOT = Path(__file__).resolve().parents[1]


def keep(row: Row, file: Path) -> None:
    """Write a row at the end of a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open('a') as kept:
        print(json.dumps(asdict(row) | dict(key=key())), file=kept)


def kept(file: Path) -> dict[Family, Row]:
    """The rows of a file that the present code and libraries made."""
    rows = {}
    for fields in _lines(file):
        if fields.pop('key') == key():
            family = Family(**fields.pop('family'))
            if fields['counts']:
                fields['counts'] = Counts(**fields['counts'])
            rows[family] = Row(family, **fields)
    return rows


@cache
def key() -> str:
    """What a row depends on: our sources and the libraries' versions."""
    digest = hashlib.sha256(versions().encode())
    sources = [_ROOT.glob('ies_mm/**/*.py'), _ROOT.glob('tools/_coverage*.py')]
    for path in sorted(path for part in sources for path in part):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _lines(file: Path) -> Iterator[dict]:
    if file.exists():
        yield from map(json.loads, file.read_text().splitlines())
