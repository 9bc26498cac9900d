"""The picture of where each epoch's time goes."""

import io
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from ies_mm.report.compare import compare
from ies_mm.report.comparing.comparison import compare_runs
from ies_mm.report.showing import times
from ies_mm.report.showing.times import PARTS, draw_times, parts_of
from work_dirs import ies_run, plain_run, record, write_records


def test_the_parts_add_up_to_the_epoch() -> None:
    line = record(3)
    seconds = sum(v for k, v in line.items() if k.endswith('_seconds'))
    assert sum(parts_of(line)) == seconds - line['start_seconds']
    assert parts_of(line) == [4.75, 0.25, 1.0, 0.5 + 0.125 + 0.0625]
    assert len(parts_of(line)) == len(PARTS)


def test_records_of_an_earlier_version() -> None:
    line = record(1)
    for part in ('start', 'collect', 'record'):
        del line[f'{part}_seconds']
    assert parts_of(line) == [5.0, 0.0, 1.0, 0.5]


def test_what_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures: list[Figure] = []

    def keep(figure: Figure, dpi: int) -> bytes:
        figures.append(figure)
        return b''

    monkeypatch.setattr(times, 'as_png', keep)
    plain = plain_run(tmp_path / 'plain', train=10)
    draw_times(compare_runs([plain, ies_run(tmp_path / 'ies')]))
    [axes] = figures[0].axes
    bars = [container[0] for container in axes.containers]
    tops = [bar.get_y() + bar.get_height() for bar in bars]
    np.testing.assert_allclose(tops, np.cumsum(parts_of(record(1))))
    assert [len(container) for container in axes.containers] == [4] * 4
    [line] = axes.get_lines()
    assert line.get_ydata()[0] == 10
    assert axes.get_title().endswith('25.2% between epochs')


def test_records_that_begin_late_are_drawn_at_their_epochs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(
        times, 'as_png', lambda figure, dpi: figures.append(figure) or b''
    )
    run = ies_run(tmp_path / 'ies')
    lines = (run / 'ies/epochs.jsonl').read_text().splitlines(keepends=True)
    (run / 'ies/epochs.jsonl').write_text(''.join(lines[2:]))
    draw_times(compare_runs([run]))
    [axes] = figures[0].axes
    middles = [bar.get_x() + bar.get_width() / 2 for bar in axes.containers[0]]
    assert middles == [3, 4]


def test_without_records_there_is_no_picture(tmp_path: Path) -> None:
    plain = plain_run(tmp_path / 'plain')
    assert draw_times(compare_runs([plain])) is None
    compare([plain], tmp_path / 'out')
    assert not (tmp_path / 'out/times.png').exists()


def test_the_picture_is_beside_the_others(tmp_path: Path) -> None:
    compare([ies_run(tmp_path / 'ies')], tmp_path / 'out')
    picture = Image.open(io.BytesIO((tmp_path / 'out/times.png').read_bytes()))
    assert picture.width > 400
    assert 'Where the time goes' in (tmp_path / 'out/compare.html').read_text()


def test_seconds_are_averaged_by_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seed 1 has records from epoch 3 on: 5 and 7 s, and so on."""
    figures: list[Figure] = []
    monkeypatch.setattr(
        times, 'as_png', lambda figure, dpi: figures.append(figure) or b''
    )
    runs = [ies_run(tmp_path / f'{seed}', seed) for seed in (0, 1)]
    for run, first in zip(runs, (1, 3), strict=True):
        lines = [
            record(e, train_seconds=e + first + 0.25)
            for e in range(first, 5)
        ]  # fmt: skip
        write_records(run, lines)
    draw_times(compare_runs(runs))
    training = figures[0].axes[0].containers[0]
    bars = {bar.get_x() + 0.5: bar.get_height() for bar in training}
    # Epoch 3: 3 + 1 and 3 + 3 seconds.
    assert bars == pytest.approx({3: 5, 4: 6})
