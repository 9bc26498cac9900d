"""The forest plot shows the differences and Student's intervals."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from compared_runs import comparison, values
from ies_mm.report.compare import compare
from ies_mm.report.comparing.differences import Difference
from ies_mm.report.showing import forest
from ies_mm.report.showing.forest import draw_differences, draw_forest
from work_dirs import ies_run, plain_run

ROWS = {'short plain 75%': 'short', 'random pruning': 'drawn', 'IES': 'ies'}


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures drawn, in order."""
    found: list[Figure] = []
    monkeypatch.setattr(
        forest, 'as_png', lambda figure, dpi: found.append(figure) or b''
    )
    return found


def lines_of(axes: Axes, row: int) -> list[np.ndarray]:
    """Interval, seeds and mean of a row: their places on the axis."""
    return [
        np.asarray(line.get_xdata(), float)
        for line in axes.get_lines()[1:]
        if abs(np.mean(line.get_ydata()) - row) < 0.5
    ]


def test_means_and_intervals(tmp_path: Path, figures: list[Figure]) -> None:
    draw_differences(comparison(tmp_path))
    controls = ('plain', 'short', 'drawn')
    for axes, control in zip(figures[0].axes, controls, strict=True):
        for row, method in enumerate(ROWS.values()):
            found = lines_of(axes, row)
            if method == control:
                assert found == []
                continue
            apart = values(method) - values(control)
            around = stats.t.interval(
                0.95, len(apart) - 1, apart.mean(), stats.sem(apart)
            )
            for drawn, expected in zip(
                found, (around, apart, apart.mean()), strict=True
            ):
                assert drawn == pytest.approx(expected)


def test_the_first_row_is_on_top(
    tmp_path: Path, figures: list[Figure]
) -> None:
    draw_differences(comparison(tmp_path))
    axes = figures[0].axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == [*ROWS]
    low, high = axes.get_ylim()
    assert low > high


def test_colours_tell_what_is_shown(figures: list[Figure]) -> None:
    rows = {
        'above': [0.1, 0.11, 0.12], 'below': [-0.1, -0.11, -0.12],
        'unclear': [-0.1, 0.1, 0.2], 'two seeds': [0.1, 0.11],
    }  # fmt: skip
    panel = {
        name: Difference('plain', 'plain', apart, 3)
        for name, apart in rows.items()
    }
    draw_forest({'minus plain': panel}, 'mAP')
    colours = [
        line.get_color()
        for line in figures[0].axes[0].get_lines()
        if line.get_marker() == 'o'
    ]
    above, below, unclear, two_seeds = colours
    assert len({above, below, unclear}) == 3
    assert two_seeds == unclear


def test_the_picture_of_an_earlier_comparison_goes(tmp_path: Path) -> None:
    plain, ies = plain_run(tmp_path / 'a'), ies_run(tmp_path / 'b')
    picture = tmp_path / 'out/differences.png'
    compare([plain, ies], tmp_path / 'out')
    assert picture.read_bytes().startswith(b'\x89PNG')
    compare([plain], tmp_path / 'out')
    assert not picture.exists()
