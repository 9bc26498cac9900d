"""Lengths: of whole epochs, and relative to the training of the methods."""

from pathlib import Path
from typing import Any

import mmdet
import pytest
from mmengine.config import Config

from compared_runs import differences, short_run
from ies_mm.configuring.shorter import shorten
from ies_mm.report.comparing.comparison import compare_runs
from ies_mm.report.comparing.controls import _is_of_length
from ies_mm.report.comparing.groups import (
    IRRELEVANT,
    OF_THE_METHOD,
    is_part_of,
)
from ies_mm.report.reading.dumped_config import flatten
from work_dirs import (
    config_of,
    epoch_scalars,
    ies_run,
    plain_run,
    write_start,
)


def shortened(work_dir: Path, length: float) -> Path:
    """A run of which ``--length`` has scaled the config."""
    [start] = work_dir.glob('2*/vis_data/config.py')
    start.write_text(start.read_text() + f'ies_mm_length = {length}\n')
    return work_dir


@pytest.mark.parametrize(
    'name',
    [
        'boxinst/boxinst_r50_fpn_ms-90k_coco.py',
        'dynamic_rcnn/dynamic-rcnn_r50_fpn_1x_coco.py',
        'rtmdet/rtmdet_tiny_8xb32-300e_coco.py',
        'tood/tood_r50_fpn_1x_coco.py',
        'mask2former/mask2former_r50_8xb2-lsj-50e_coco.py',
        'yolox/yolox_s_8xb8-300e_coco.py',
    ],
)
def test_all_that_is_scaled_is_known(name: str) -> None:
    """Else a shorter baseline would not be paired with its methods."""
    folder = Path(str(mmdet.__file__)).parent / '.mim/configs'
    full = Config.fromfile(folder / name)
    ours, theirs = (flatten(c.to_dict()) for c in (shorten(full, 0.5), full))
    changed = {k for k in ours | theirs if ours.get(k) != theirs.get(k)}
    assert len(changed) > 2
    for key in changed:
        known = is_part_of(key, (*IRRELEVANT, *OF_THE_METHOD))
        assert known or _is_of_length(key), key


@pytest.mark.parametrize('length', [0.08, 0.05])
def test_lengths_are_shares_of_the_training_of_the_methods(
    tmp_path: Path, length: float
) -> None:
    """A tenth of the config's epochs, to try the methods."""
    runs = []
    for seed in (0, 1):
        plain = plain_run(tmp_path / f'p{seed}', seed, {4: 0.6})
        ies = ies_run(tmp_path / f'i{seed}', seed, {4: 0.65}, saved=0.2)
        runs += [
            shortened(plain, 0.1),
            shortened(ies, 0.1),
            short_run(tmp_path / f's{seed}', seed, 0.5, length),
        ]
    found = compare_runs(runs)
    names = {row.group.method for row in found.rows}
    assert names == {'plain', 'IES', f'short plain {length / 0.1:.0%}'}
    apart = differences(found, 'IES')
    assert apart['plain'].by_seed == pytest.approx([0.05, 0.05])
    if length == 0.08:
        assert apart['short plain'].by_seed == pytest.approx([0.15, 0.15])
    else:
        assert 'short plain' not in apart
        assert '--length 0.08' in found.verdict


@pytest.mark.parametrize(
    ('length', 'epochs', 'method'),
    [
        (0.6, 12, 'short plain 60%'),
        (2 / 3, 8, 'short plain 67%'),
        (1.5, 30, 'long plain 150%'),
        (0.7, 12, 'plain'),
        (16, 8, 'plain'),
        ('long', 8, 'plain'),
    ],
)
def test_the_earlier_note_is_read_where_it_is_certain(
    tmp_path: Path, length: Any, epochs: int, method: str
) -> None:
    """A variable of the config has the same name."""
    config = config_of(length=length, train_cfg__max_epochs=epochs)
    scalars = epoch_scalars({epochs: 0.5}, epochs)
    runs = [
        write_start(tmp_path / 'a', config, scalars),
        plain_run(tmp_path / 'b', 0, {4: 0.6}),
    ]
    groups = [row.group for row in compare_runs(runs).rows]
    [found] = {g.method for g in groups if g.runs[0].work_dir == runs[0]}
    assert found == method


@pytest.mark.parametrize(
    ('epochs', 'saved', 'counts'),
    [(10, 0.2, True), (10, 0.205, True), (10, 0.22, False), (9, 0.2, False)],
)
def test_a_whole_epoch_closest_to_the_compute_is_the_control(
    tmp_path: Path, epochs: int, saved: float, counts: bool
) -> None:
    """Of 12 epochs, 80% are 9.6; ``--length 0.8`` trains 10."""
    runs = [
        ies_run(tmp_path / 'i', 0, {4: 0.65}, saved=saved),
        short_run(tmp_path / 's', 0, 0.5, epochs / 12, epochs),
    ]
    found = differences(compare_runs(runs), 'IES')
    assert ('short plain' in found) == counts


def test_the_verdict_names_a_control_of_other_compute(tmp_path: Path) -> None:
    """Two epochs of three are the closest to 80%."""
    runs = [
        ies_run(tmp_path / 'i', 0, {4: 0.65}, saved=0.2),
        short_run(tmp_path / 's', 0, 0.5, 2 / 3, 2),
    ]
    found = compare_runs(runs)
    assert 'equal compute (short plain 67%)' in found.verdict


def of_two_lengths(folder: Path, other: Path, **arguments: Any) -> list[Path]:
    """Runs with ``--length 0.1``, and one of a method at full length."""
    return [
        shortened(plain_run(folder / 'p', 0, {4: 0.6}), 0.1),
        shortened(ies_run(folder / 'i', 0, {4: 0.65}, saved=0.2), 0.1),
        ies_run(other, 0, {4: 0.7}, saved=0.2, **arguments),
    ]


def test_a_dry_run_of_another_length_changes_no_name(tmp_path: Path) -> None:
    hook = dict(type='IESHook', delta=0.1, dry_run=True)
    runs = of_two_lengths(tmp_path, tmp_path / 'd', hook=hook)
    found = compare_runs(runs)
    assert 'plain' in {row.group.method for row in found.rows}
    assert any('relative to --length 0.1' in note for note in found.notes)


def test_methods_of_two_lengths_keep_the_lengths_of_the_config(
    tmp_path: Path,
) -> None:
    runs = of_two_lengths(tmp_path, tmp_path / 'full')
    [short, _, full] = runs
    found = compare_runs(runs)
    methods = {
        run.work_dir: row.group.method
        for row in found.rows
        for run in row.group.runs
    }
    assert methods[short] == 'short plain 10%'
    assert methods[full] == 'IES'
    assert not any('relative to' in note for note in found.notes)
    assert 'No full plain run to compare with: ' in found.verdict
    assert 'PLAIN_CONFIG --length 0.8' in found.verdict


def test_without_the_full_baseline_it_is_asked_for(tmp_path: Path) -> None:
    """And not taken for another: it has ten times the epochs."""
    runs = [
        plain_run(tmp_path / 'p', 0, {4: 0.6}),
        shortened(ies_run(tmp_path / 'i', 0, {4: 0.65}, saved=0.2), 0.1),
    ]
    found = compare_runs(runs)
    assert {row.group.method for row in found.rows} == {
        'long plain 1000%', 'IES'
    }  # fmt: skip
    assert (
        'No full plain run to compare with: '
        '`ies-mm train PLAIN_CONFIG --length 0.1`.'
    ) in found.verdict


def test_no_training_is_asked_for_that_would_be_as_long(
    tmp_path: Path,
) -> None:
    """97% of a few epochs are all of them."""
    runs = [
        plain_run(tmp_path / 'p', 0, {4: 0.6}),
        ies_run(tmp_path / 'i', 0, {4: 0.65}, saved=0.03),
    ]
    assert '--length' not in compare_runs(runs).verdict
