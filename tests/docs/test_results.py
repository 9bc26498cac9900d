"""Means and intervals in the results follow from the seeds beside them.

The oracle is NumPy's and SciPy's arithmetic on the final metrics printed in
the same row. Those are rounded, so a figure may be off by its last digit.
"""

import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import stats

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / 'docs/results.md').read_text()
SEEDED = re.compile(r'^\|[^\n]*\bseeds \d[^\n]*\|\n(?:\|.*\n)+', re.MULTILINE)
NUMBER = r'[+-]?\d+\.\d+'
INTERVAL = re.compile(rf'({NUMBER}) \(({NUMBER}) to ({NUMBER})\)')
ALIASES = {'the default cap': 'shuffled passes, the default cap'}


def cells_of(table: str) -> list[list[str]]:
    lines = [line.strip().strip('|') for line in table.splitlines()]
    rows = [[cell.strip(' *†') for cell in re.split(r' ?\| ?', line)]
            for line in lines]  # fmt: skip
    return [rows[0], *rows[2:]]


def numbers(cell: str) -> np.ndarray:
    return np.array([float(text) for text in re.findall(r'\d+\.\d+', cell)])


def rows_of(table: str) -> list[tuple[dict[str, str], np.ndarray]]:
    """Each row by its headings, and its values by seed."""
    heading, *rows = cells_of(table)
    seeds = next(title for title in heading if 'seeds' in title)
    named = [dict(zip(heading, row, strict=True)) for row in rows]
    return [
        (row, numbers(row[seeds])) for row in named if numbers(row[seeds]).size
    ]


def controls(rows: list, title: str) -> list[np.ndarray]:
    """The rows that a column subtracts; several if a control has variants."""
    name = title.removeprefix('minus ').partition(' in the same')[0]
    name = ALIASES.get(name, name).lower()
    labels = [next(iter(row.values())).lower() for row, _ in rows]
    return [
        values
        for label, (_, values) in zip(labels, rows, strict=True)
        if label.startswith(name)
    ]


def expected(values: np.ndarray, control: np.ndarray) -> list[float]:
    seeds = min(len(values), len(control))
    apart = values[:seeds] - control[:seeds]
    mean = float(apart.mean())
    low, high = stats.t.interval(0.95, seeds - 1, mean, stats.sem(apart))
    return [mean, float(low), float(high)]


TABLES = SEEDED.findall(PAGE)


def test_the_tables_are_found() -> None:
    assert len(TABLES) > 10
    assert sum(len(rows_of(table)) for table in TABLES) > 70


@pytest.mark.parametrize('table', TABLES, ids=lambda t: t[:60])
def test_means_and_deviations(table: str) -> None:
    for row, values in rows_of(table):
        for title, cell in row.items():
            found = re.fullmatch(rf'({NUMBER}) ± ({NUMBER})', cell)
            if title.startswith('mean') and found:
                unit = 10.0 ** -len(found[1].partition('.')[2])
                shown = [float(text) for text in found.groups()]
                computed = [values.mean(), values.std(ddof=1)]
                assert shown == pytest.approx(computed, abs=1.1 * unit), row


@pytest.mark.parametrize('table', TABLES, ids=lambda t: t[:60])
def test_differences(table: str) -> None:
    rows = rows_of(table)
    for row, values in rows:
        for title, cell in row.items():
            found = INTERVAL.match(cell)
            if not (title.startswith('minus') and found):
                continue
            unit = 10.0 ** -len(found[1].partition('.')[2])
            points = 100 if values.max() < 1 and unit == 0.1 else 1
            shown = [float(text) for text in found.groups()]
            assert any(
                shown
                == pytest.approx(
                    [points * x for x in expected(values, control)],
                    abs=1.5 * unit,
                )
                for control in controls(rows, title)
            ), (title, row)


def summary(page: str) -> list[list[str]]:
    """The table of points above a shorter baseline, headings first."""
    found = re.search(
        r'^\| \| shortening costs .*\n(?:\|.*\n)+', page, re.MULTILINE
    )
    assert found
    return cells_of(found[0])


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program that draws the picture."""
    monkeypatch.syspath_prepend(ROOT / 'tools')
    return import_module('draw_results')


def test_the_summary_is_what_the_picture_shows(tool: ModuleType) -> None:
    tables = tool.named_tables(PAGE)
    _, *rows = summary(PAGE)
    assert [row[0] for row in rows] == [*tables]
    methods = [
        tool.above_short(tables, beginning)
        for beginning in tool.PANELS.values()
    ]
    for name, *cells in rows:
        for cell, panel in zip(cells, methods, strict=True):
            assert bool(cell) == (name in panel)
            if cell:
                found = re.findall(NUMBER, cell)
                mean, (low, high) = panel[name].mean, panel[name].interval
                shown = [float(text) for text in found]
                assert shown == pytest.approx([mean, low, high], abs=0.15)


def test_how_many_intervals_stand_a_correction(tool: ModuleType) -> None:
    """Of the methods against the shorter baseline, by their p-values."""
    tables = tool.named_tables(PAGE)
    apart = [
        difference.by_seed
        for name, beginning in tool.PANELS.items()
        if not name.endswith('baseline')
        for difference in tool.above_short(tables, beginning).values()
    ]
    tests = [stats.ttest_1samp(values, 0) for values in apart]
    above = [test.statistic > 0 and test.pvalue < 0.05 for test in tests]
    corrected = stats.false_discovery_control([test.pvalue for test in tests])
    stand = [up and p < 0.05 for up, p in zip(above, corrected, strict=True)]
    assert (
        f'Of the {len(apart)} intervals of methods {sum(above)} are above the '
        f'shorter baseline; with the false discovery rate held at 5% '
        f'(Benjamini and Hochberg), {sum(stand)} are.'
    ) in ' '.join(PAGE.split())
