#!/usr/bin/env python
"""Draw docs/above_short.png from the tables of docs/results.md.

A table takes part if a comment above it, <!-- table: NAME -->, gives it the
name of its row in the picture. The final metrics of its seeds are read, not
the differences that it prints.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from ies_mm.report.comparing.differences import Difference
from ies_mm.report.showing.forest import Panel, draw_forest

DOCS = Path(__file__).resolve().parents[1] / 'docs'
NAMED_TABLE = re.compile(r'<!-- table: (.+?) -->\n((?:\|.*\n)+)')
CONTROL = 'short plain'
PANELS = {
    'full baseline': 'plain',
    'rate-matched baseline': 'rate-matched baseline',
    'shuffled passes': 'shuffled passes',
    'random pruning': 'random pruning',
    'Soft IES in turn': 'Soft IES in turn',
    'IES (saved=)': 'IES, `saved=',
}
"""Title -> how the label of the table's row begins."""

Table = dict[str, list[float]]
"""Label of a row -> final metric by seed, in points."""


def named_tables(page: str) -> dict[str, Table]:
    """The tables of a page that have a name.

    Args:
        page (str): Markdown.
    """
    return {
        name: dict(_rows(table)) for name, table in NAMED_TABLE.findall(page)
    }


def row_of(table: Table, beginning: str) -> list[float] | None:
    """The row whose label begins so; None if there is none."""
    for label, values in table.items():
        if label.startswith(beginning):
            return values
    return None


def above_short(tables: dict[str, Table], beginning: str) -> Panel:
    """A method minus the shorter baseline, by seed, in every table.

    Args:
        tables (dict): See :func:`named_tables`.
        beginning (str): How the label of the method's row begins.
    """
    found = {}
    for name, table in tables.items():
        values, control = row_of(table, beginning), row_of(table, CONTROL)
        if values and control:
            apart = [a - b for a, b in zip(values, control, strict=False)]
            found[name] = Difference(CONTROL, CONTROL, apart, 1)
    return found


def _rows(table: str) -> Iterator[tuple[str, list[float]]]:
    heading, _, *rows = [
        [cell.strip() for cell in line.strip('|').split('|')]
        for line in table.splitlines()
    ]
    column = next(k for k, title in enumerate(heading) if 'seeds' in title)
    for cells in rows:
        values = [float(v) for v in re.findall(r'\d+\.\d+', cells[column])]
        label = cells[0].replace('*', '')
        yield label, [v * 100 if v < 1 else v for v in values]


def main() -> None:
    """Read the page, draw, write."""
    tables = named_tables((DOCS / 'results.md').read_text())
    panels = {
        title: above_short(tables, beginning)
        for title, beginning in PANELS.items()
    }
    picture = DOCS / 'above_short.png'
    xlabel = 'points above a shorter baseline of equal compute'
    picture.write_bytes(draw_forest(panels, xlabel))
    print(f'written to {picture}')


if __name__ == '__main__':
    main()
