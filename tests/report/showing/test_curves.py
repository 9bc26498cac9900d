"""The curves show what the runs recorded."""

import io
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from ies_mm.report.comparing.comparison import compare_runs
from ies_mm.report.comparing.notes import Comparison
from ies_mm.report.reading.runs import read_run
from ies_mm.report.records import END
from ies_mm.report.showing.axis import axis_label, positions
from ies_mm.report.showing.curves import (
    count_panel,
    draw_curves,
    has_seconds,
    metric_panel,
    seconds_panel,
)
from ies_mm.report.showing.style import add_legend
from work_dirs import (
    config_of,
    epoch_scalars,
    ies_run,
    plain_run,
    record,
    write_records,
    write_start,
)

Lines = dict[str, list[tuple[float, float]]]


def drawn(panel: object, comparison: Comparison) -> tuple[Lines, Axes]:
    """The lines of a panel by their labels."""
    axes = Figure().add_subplot()
    panel(axes, comparison)  # type: ignore[operator]
    lines = {}
    for line in axes.get_lines():
        pairs = zip(line.get_xdata(), line.get_ydata(), strict=True)
        lines[str(line.get_label())] = [(float(x), float(y)) for x, y in pairs]
    return lines, axes


def test_the_metric_over_seconds_leaves_validations_out(
    tmp_path: Path,
) -> None:
    """Ten seconds per epoch, and three per validation."""
    values = {1: 0.1, 2: 0.2, 3: 0.3, 4: 0.4}
    found = compare_runs(
        [
            plain_run(tmp_path / 'a', 0, values, train=10, val=3),
            ies_run(tmp_path / 'b', 0, values, train=7, val=3),
            ies_run(tmp_path / 'c', 1, values, train=9, val=3),
        ]
    )
    lines, axes = drawn(seconds_panel, found)
    assert has_seconds(found)
    assert lines == {
        'plain': [(10 * k, value) for k, value in values.items()],
        'IES': [(8 * k, value) for k, value in values.items()],
    }
    assert axes.get_xlabel() == 'seconds without validations'


def test_without_a_time_for_each_validation_there_is_no_such_panel(
    tmp_path: Path,
) -> None:
    found = compare_runs([plain_run(tmp_path, 0, {2: 0.1, 4: 0.2})])
    assert not has_seconds(found)
    assert drawn(seconds_panel, found)[0] == {}


def test_the_metric_is_a_mean_over_seeds(tmp_path: Path) -> None:
    runs = [
        plain_run(tmp_path / 'a', 0, {2: 0.25, 4: 0.5}),
        plain_run(tmp_path / 'b', 1, {2: 0.75, 4: 0.5}),
    ]
    lines, axes = drawn(metric_panel, compare_runs(runs))
    assert lines == {'plain': [(2, 0.5), (4, 0.5)]}
    assert (axes.get_xlabel(), axes.get_ylabel()) == (
        'epoch',
        'pascal_voc/mAP',
    )
    # The band: a sample deviation of 0.3536 around the mean at epoch 2.
    [band] = axes.collections
    heights = np.unique(band.get_paths()[0].vertices[:, 1].round(3))
    assert heights.tolist() == [0.146, 0.5, 0.854]


def test_seeds_are_averaged_over_the_epochs_they_share(
    tmp_path: Path,
) -> None:
    """Validated every epoch, and every other; one goes on for longer."""
    every = {1: 0.1, 2: 0.2, 3: 0.3, 4: 0.4}
    runs = [
        ies_run(tmp_path / 'a', 0, every, excluded=(0, 1, 2, 3)),
        ies_run(tmp_path / 'b', 1, {2: 0.4, 4: 0.6}),
    ]
    write_records(tmp_path / 'b', [record(3, 4), record(4, 5)])
    found = compare_runs(runs)
    lines, _ = drawn(metric_panel, found)
    assert lines == {'IES': [(2, pytest.approx(0.3)), (4, pytest.approx(0.5))]}
    lines, _ = drawn(count_panel, found)
    assert lines == {'IES': [(3, 3), (4, 4)]}


def test_a_longer_tail_has_no_band(tmp_path: Path) -> None:
    """Seed 1 ended after two epochs."""
    for seed, epochs in enumerate((4, 2)):
        values = {epoch: (epoch + seed) / 10 for epoch in range(1, epochs + 1)}
        write_start(
            tmp_path / f'{seed}', config_of(seed, {}),
            epoch_scalars(values, epochs),
        )  # fmt: skip
        lines = [record(epoch) for epoch in values]
        write_records(tmp_path / f'{seed}', lines)
    (tmp_path / '1' / 'ies' / END).write_text('{}')
    found = compare_runs([tmp_path / '0', tmp_path / '1'])
    lines, axes = drawn(metric_panel, found)
    places, means = zip(*lines['IES'], strict=True)
    assert places == (1, 2, 3, 4)
    assert means == pytest.approx((0.15, 0.25, 0.3, 0.4))
    [band] = axes.collections
    assert set(band.get_paths()[0].vertices[:, 0]) == {1, 2}


def test_a_single_validation_has_an_error_bar(tmp_path: Path) -> None:
    runs = [plain_run(tmp_path / f'{s}', s, {4: 0.5 + s / 5}) for s in (0, 1)]
    _, axes = drawn(metric_panel, compare_runs(runs))
    [bars] = axes.containers
    [stem] = bars.lines[2]
    assert stem.get_segments()[0][:, 1] == pytest.approx(
        [0.6 - 0.2 / 2**0.5, 0.6 + 0.2 / 2**0.5]
    )


def test_excluded_images_and_those_that_a_dry_run_mastered(
    tmp_path: Path,
) -> None:
    ies = ies_run(tmp_path / 'ies', excluded=(0, 3, 4, 5))
    dry = ies_run(tmp_path / 'dry', hook={'dry_run': True})
    (dry / 'ies' / 'epochs.jsonl').unlink()
    mastered = [record(e, mastered=m) for e, m in ((1, 1), (2, 3), (3, 4))]
    write_records(dry, mastered)
    lines, axes = drawn(
        count_panel, compare_runs([plain_run(tmp_path / 'plain'), ies, dry])
    )
    assert lines == {
        'IES': [(1, 0), (2, 3), (3, 4), (4, 5)],
        # One epoch later, when they would have been pruned.
        'IES dry run': [(2, 1), (3, 3)],
    }
    assert axes.get_ylabel() == 'images of 10'


def test_a_method_has_one_look_in_both_panels(tmp_path: Path) -> None:
    comparison = compare_runs(
        [
            plain_run(tmp_path / 'plain'),
            ies_run(tmp_path / 'a'),
            ies_run(tmp_path / 'b', hook={'dry_run': True}),
            ies_run(tmp_path / 'c', seed=1, values={2: 0.5}),
        ]
    )
    looks = []
    for panel in (metric_panel, count_panel):
        _, axes = drawn(panel, comparison)
        looks.append(
            {
                line.get_label(): (line.get_color(), line.get_linestyle())
                for line in axes.get_lines()
            }
        )
    metric, count = looks
    del metric['plain']
    assert metric == count
    assert metric['IES'][0] == metric['IES *'][0] != metric['IES dry run'][0]
    styles = [metric[k][1] for k in ('IES', 'IES dry run', 'IES *')]
    assert styles == ['-', '--', ':']


def test_seeds_of_different_length_have_a_common_mean(tmp_path: Path) -> None:
    a = plain_run(tmp_path / 'a', 0, {1: 0.2, 2: 0.4, 4: 0.5})
    b = plain_run(tmp_path / 'b', 1, {1: 0.4, 4: 0.5})
    lines, _ = drawn(metric_panel, compare_runs([a, b]))
    assert len(lines['plain']) == 2


def test_a_run_without_a_validation_has_no_line(tmp_path: Path) -> None:
    running = write_start(tmp_path / 'a', config_of(), [])
    comparison = compare_runs([running, plain_run(tmp_path / 'b')])
    lines, _ = drawn(metric_panel, comparison)
    assert list(lines) == ['plain']


@pytest.mark.parametrize('label', [r'$\nosuch$', '_hidden', '<b>'])
def test_the_picture_of_any_names(tmp_path: Path, label: str) -> None:
    run = ies_run(tmp_path)
    (tmp_path / 'ies' / 'epochs.jsonl').unlink()
    write_records(run, [record(1, method=label)])
    picture = Image.open(io.BytesIO(draw_curves(compare_runs([run]))))
    assert picture.format == 'PNG'
    assert picture.width >= 1500


def iteration_run(
    work_dir: Path,
    trained: tuple[int, ...] = (),
    first: int = 1,
    **changes: object,
) -> Path:
    """100 iterations of 2 of 10 images: 20 passes without pruning."""
    hook = {} if trained else None
    train_cfg = {'type': 'IterBasedTrainLoop', 'max_iters': 100}
    config = config_of(hook=hook, train_cfg=train_cfg, **changes)
    config['default_hooks']['logger']['log_metric_by_epoch'] = False
    records = [
        record(number, 10 - images)
        for number, images in enumerate(trained, first)
    ]
    write_records(work_dir, records)
    return write_start(
        work_dir,
        config,
        [dict(iter=10, step=10), dict(mIoU=50.0, step=10)],
    )


@pytest.mark.parametrize('length', [4, 20, 60])
def test_the_figure_holds_its_legend(length: int) -> None:
    """In as many columns as fit."""
    figure = Figure(figsize=(6, 4), layout='constrained')
    axes = figure.add_subplot()
    for number in range(4):
        axes.plot([0, 1], label=f'{number}' * length)
    add_legend(figure, columns=4)
    figure.draw_without_rendering()
    [legend] = figure.legends
    place = legend.get_window_extent()
    assert place.x0 >= 0
    assert place.x1 <= figure.bbox.width
    entries = [text.get_window_extent() for text in legend.get_texts()]
    rows = {round(entry.y0) for entry in entries}
    assert len(rows) == {4: 1, 20: 2, 60: 4}[length]


def test_iterations_are_brought_onto_passes(tmp_path: Path) -> None:
    plain = read_run(iteration_run(tmp_path / 'a'))
    ies = read_run(iteration_run(tmp_path / 'b', trained=(10, 8, 4)))
    both = [plain, ies]
    assert axis_label(both) == 'pass over the data'
    assert positions(plain, [5, 9], both) == pytest.approx([1, 1.8])
    # Passes of 5, 4 and 2 iterations, then more like the last.
    assert positions(ies, [5, 7, 9, 11, 12], both) == pytest.approx(
        [1, 1.5, 2, 3, 3.5]
    )


def test_passes_without_records_were_whole(tmp_path: Path) -> None:
    runs = [read_run(iteration_run(tmp_path, trained=(8, 4), first=3))]
    # Two of 5 iterations, then 4 and 2.
    assert positions(runs[0], [5, 10, 14, 15], runs) == pytest.approx(
        [1, 2, 3, 3.5]
    )


@pytest.mark.parametrize(
    'changes',
    [
        {'launcher': 'pytorch'},
        {
            'train_dataloader__dataset': dict(
                type='RepeatDataset', times=3, dataset=dict(type='VOCDataset')
            )
        },
    ],
)
def test_else_the_axis_says_iteration(tmp_path: Path, changes: dict) -> None:
    runs = [
        read_run(iteration_run(tmp_path / 'a', **changes)),
        read_run(iteration_run(tmp_path / 'b', (10, 8), **changes)),
    ]
    assert axis_label(runs) == 'iteration'
    assert positions(runs[0], [5], runs) == [5]


def test_plain_runs_alone_do_not_know_their_images(tmp_path: Path) -> None:
    runs = [read_run(iteration_run(tmp_path))]
    assert axis_label(runs) == 'iteration'
