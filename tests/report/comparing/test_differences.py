"""A method against its controls, seed by seed."""

import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from compared_runs import differences, short_run
from ies_mm.report.comparing.comparison import compare_runs
from ies_mm.report.comparing.notes import Comparison
from work_dirs import (
    config_of,
    epoch_log,
    epoch_scalars,
    ies_run,
    plain_run,
    record,
    write_records,
    write_start,
)

SEEDS = range(4)


def random_run(
    work_dir: Path, seed: int, value: float, saved: float, **arguments: Any
) -> Path:
    hook = dict(type='RandomRemovalHook', ratio=saved) | arguments
    return ies_run(
        work_dir, seed, {4: value}, hook=hook, saved=saved,
        method='Random Remove',
    )  # fmt: skip


def values(of: str) -> np.ndarray:
    """A metric for every seed, the same in each call."""
    draw = np.random.default_rng(sum(map(ord, of)))
    return draw.uniform(0.4, 0.8, len(SEEDS))


def comparison(folder: Path, length: float = 0.75) -> Comparison:
    """Four seeds of each method, which saves a quarter."""
    runs = []
    for seed in SEEDS:
        runs += [
            plain_run(folder / f'p{seed}', seed, {4: values('plain')[seed]}),
            short_run(
                folder / f's{seed}', seed, values('short')[seed], length
            ),
            random_run(folder / f'r{seed}', seed, values('drawn')[seed], 0.25),
            ies_run(
                folder / f'i{seed}', seed, {4: values('ies')[seed]}, saved=0.25
            ),
        ]
    return compare_runs(runs)


@pytest.mark.parametrize(
    ('kind', 'of'),
    [('plain', 'plain'), ('short plain', 'short'), ('Random Remove', 'drawn')],
)
def test_it_is_the_paired_t_interval(
    tmp_path: Path, kind: str, of: str
) -> None:
    found = differences(comparison(tmp_path), 'IES')[kind]
    tested = stats.ttest_rel(values('ies'), values(of))
    wanted = tested.confidence_interval(0.95)
    assert found.by_seed == pytest.approx(list(values('ies') - values(of)))
    assert found.interval == pytest.approx((wanted.low, wanted.high))
    assert (found.sign != 0) == (tested.pvalue < 0.05)


def test_a_control_is_compared_with_the_other_controls(tmp_path: Path) -> None:
    found = comparison(tmp_path)
    assert {*differences(found, 'plain')} == set()
    assert {*differences(found, 'short plain 75%')} == {
        'plain', 'Random Remove'
    }  # fmt: skip
    assert {*differences(found, 'Random Remove')} == {'plain', 'short plain'}


def test_other_compute_is_no_control(tmp_path: Path) -> None:
    found = comparison(tmp_path, length=0.6)
    assert 'short plain' not in differences(found, 'IES')
    assert 'ies-mm train PLAIN_CONFIG --length 0.75' in found.verdict


def test_only_common_seeds_count(tmp_path: Path) -> None:
    runs = [
        plain_run(tmp_path / 'a', 0, {4: 0.5}),
        plain_run(tmp_path / 'b', 1, {4: 0.6}),
        ies_run(tmp_path / 'c', 1, {4: 0.7}),
        ies_run(tmp_path / 'd', 2, {4: 0.9}),
    ]
    [found] = compare_runs(runs).rows[1].differences
    assert found.by_seed == pytest.approx([0.1])
    assert found.interval is None


def test_a_control_has_the_same_model(tmp_path: Path) -> None:
    """Depths 18 and 50: each against its own, not the nearest share."""
    runs = []
    for depth, saved in ((18, 0.2), (50, 0.201)):
        for seed in (0, 1):
            changes = dict(model=dict(type='FasterRCNN', depth=depth))
            for name, value, hook in (
                ('plain', 0.0, None),
                ('random', 0.01, dict(type='RandomRemovalHook', ratio=0.2)),
                ('ies', 0.03, {}),
            ):
                path = tmp_path / f'{name}{depth}_{seed}'
                value = depth / 100 + value + seed / 1000
                lines = epoch_scalars({4: value}, 4)
                if hook is not None:
                    method = 'Random Remove' if hook else 'IES'
                    ies_run(path, saved=saved, method=method)
                    [start] = path.glob('2*')
                    shutil.rmtree(start)
                config = config_of(seed, hook, **changes)
                runs.append(write_start(path, config, lines))
    found = compare_runs(runs)
    for row in found.rows:
        if row.group.method == 'IES':
            apart = {d.kind: d.mean for d in row.differences}
            assert apart == pytest.approx(
                {'plain': 0.03, 'Random Remove': 0.02}
            )


def test_random_removal_itself_before_its_variants(tmp_path: Path) -> None:
    """Even if a variant's saved share is nearer."""
    runs = []
    for seed in (0, 1):
        runs += [
            ies_run(tmp_path / f'i{seed}', seed, {4: 0.65}, saved=0.2001),
            random_run(tmp_path / f'r{seed}', seed, 0.66, 0.2),
            random_run(tmp_path / f's{seed}', seed, 0.6, 0.2001, static=True),
        ]
    found = differences(compare_runs(runs), 'IES')['Random Remove']
    assert found.mean == pytest.approx(-0.01)


def test_a_control_without_a_common_seed_hides_no_other(
    tmp_path: Path,
) -> None:
    runs = [random_run(tmp_path / 'far', 9, 0.1, 0.2, static=True)]
    for seed in (0, 1):
        runs += [
            ies_run(tmp_path / f'i{seed}', seed, {4: 0.65}, saved=0.2),
            random_run(tmp_path / f'r{seed}', seed, 0.66, 0.21),
        ]
    found = differences(compare_runs(runs), 'IES')['Random Remove']
    assert found.by_seed == pytest.approx([-0.01, -0.01])


def test_a_seed_without_a_number_is_named(tmp_path: Path) -> None:
    runs = [
        plain_run(tmp_path / 'a', 0, {4: 0.5}),
        plain_run(tmp_path / 'b', 1, {4: 0.5}),
        ies_run(tmp_path / 'c', 0, {4: 0.6}),
        ies_run(tmp_path / 'd', 1, {4: math.nan}),
    ]
    found = compare_runs(runs)
    assert [len(d.by_seed) for d in found.rows[1].differences] == [1]
    assert any('seed 1 is not a number' in note for note in found.notes)


def test_runs_without_a_seed(tmp_path: Path) -> None:
    config = config_of()
    config['randomness'] = {}
    plain = write_start(tmp_path / 'a', config, epoch_scalars({4: 0.5}, 4))
    ies = ies_run(tmp_path / 'b')
    [start] = ies.glob('2*/vis_data/config.py')
    start.write_text(start.read_text().replace("'seed': 0", "'seed': None"))
    found = compare_runs([plain, ies])
    assert 'add --seed 0' in found.verdict
    assert 'One seed' not in found.verdict


def test_the_compute_of_a_method_that_was_shortened_too(
    tmp_path: Path,
) -> None:
    """Four fifths of four fifths is not four fifths of the compute."""
    runs = []
    for seed in (0, 1):
        ies = ies_run(tmp_path / f'i{seed}', seed, {4: 0.65}, saved=0.2)
        [start] = ies.glob('2*/vis_data/config.py')
        start.write_text(start.read_text() + 'length = 0.8\n')
        runs += [ies, short_run(tmp_path / f's{seed}', seed, 0.6, 0.8)]
    assert 'short plain' not in differences(compare_runs(runs), 'IES')


def test_the_verdict_names_the_best_method_and_its_intervals(
    tmp_path: Path,
) -> None:
    found = comparison(tmp_path)
    assert found.verdict.startswith(
        'The method: IES, 25% saved. Difference in the last metric: '
    )
    for difference in differences(found, 'IES').values():
        low, high = difference.interval
        assert f'95% interval {low:+.3f} to {high:+.3f}, 4 seeds' in (
            found.verdict
        )
    assert 'No ' not in found.verdict


def test_the_verdict_corrects_for_the_choice_of_the_best(
    tmp_path: Path,
) -> None:
    """Two methods, of which the better one is above plain by itself."""
    runs = []
    for seed, plain in zip((0, 1, 2), (0.50, 0.51, 0.49), strict=True):
        gain = (0.02, 0.03, 0.025)[seed]
        runs += [
            plain_run(tmp_path / f'p{seed}', seed, {4: plain}),
            ies_run(tmp_path / f'i{seed}', seed, {4: plain + gain}, saved=0.2),
            ies_run(
                tmp_path / f'o{seed}', seed, {4: plain - 0.1},
                saved=0.2, method='InfoBatch',
            ),
        ]  # fmt: skip
    found = compare_runs(runs)
    alone = differences(found, 'IES')['plain']
    error = stats.sem(alone.by_seed)
    low, high = stats.t.interval(0.975, 2, np.mean(alone.by_seed), error)
    assert f'best of 2 {low:+.3f} to {high:+.3f}, 3 seeds' in found.verdict
    assert low < alone.interval[0] < alone.interval[1] < high


def test_the_verdict_says_what_is_missing(tmp_path: Path) -> None:
    found = compare_runs(
        [
            plain_run(tmp_path / 'a', 0, {4: 0.5}),
            ies_run(tmp_path / 'b', 0, {4: 0.6}, saved=0.2),
        ]
    )
    assert 'One seed shows nothing' in found.verdict
    assert 'No plain training of equal compute' in found.verdict
    assert '--length 0.8\n' in f'{found.verdict}\n'.replace('. ', '\n')
    assert (
        '--method random_removal --cfg-options default_hooks.ies.saved=0.2.'
        in found.verdict
    )


def test_controls_of_other_seeds_are_not_missing(tmp_path: Path) -> None:
    runs = [
        *(plain_run(tmp_path / f'p{s}', s, {4: 0.5}) for s in (3, 4)),
        *(ies_run(tmp_path / f'i{s}', s, {4: 0.6}) for s in (0, 1)),
    ]
    verdict = compare_runs(runs).verdict
    assert (
        'plain was trained with other seeds than IES (3, 4 and 0, 1)'
        in verdict
    )
    assert 'No full plain training' not in verdict
    for name, value, seed, words in (
        ('n', math.nan, 0, 'plain has no last metric'),
        ('u', 0.5, None, 'The runs of plain have no seed: add --seed'),
    ):
        plain = plain_run(tmp_path / name, seed, {4: value})
        assert words in compare_runs([plain, *runs[2:]]).verdict


def test_shuffled_passes_are_a_method_not_the_control(tmp_path: Path) -> None:
    """They choose no images, and are recommended."""
    runs = []
    for seed in SEEDS:
        drawn = values('drawn')[seed]
        runs += [
            random_run(tmp_path / f'r{seed}', seed, drawn, 0.25),
            random_run(
                tmp_path / f'p{seed}', seed, drawn + 0.1, 0.25,
                replacement=False,
            ),
            ies_run(tmp_path / f'i{seed}', seed, {4: drawn}, saved=0.25),
        ]  # fmt: skip
    found = compare_runs(runs)
    passes = 'Random Remove, shuffled passes'
    assert f'Best method by last metric: {passes}, 25% saved' in found.verdict
    rows = {row.group.label: row.differences for row in found.rows}
    [over_random] = rows[passes]
    assert over_random.control == 'Random Remove'
    assert over_random.mean == pytest.approx(0.1)
    assert [d.control for d in rows['IES']] == ['Random Remove']
    assert rows['Random Remove'] == []


def test_shuffled_passes_are_known_by_any_key(tmp_path: Path) -> None:
    config = config_of(hook={})
    config['default_hooks']['pruning'] = config['default_hooks'].pop('ies') | {
        'type': 'RandomRemovalHook', 'saved': 0.2, 'replacement': False
    }  # fmt: skip
    write_start(tmp_path, config, epoch_scalars({4: 0.5}, 4), epoch_log(4))
    write_records(
        tmp_path,
        [record(e, saved=0.2, method='Random Remove') for e in range(1, 5)],
    )
    assert 'The method: Random Remove' in compare_runs([tmp_path]).verdict


def test_three_seeds_without_a_control_are_not_one(tmp_path: Path) -> None:
    runs = [ies_run(tmp_path / f'{s}', s, {4: 0.6}) for s in range(3)]
    verdict = compare_runs(runs).verdict
    assert 'One seed' not in verdict
    assert 'No full plain training' in verdict
    assert 'One seed shows nothing' in compare_runs(runs[:1]).verdict


def test_without_a_method_there_is_no_verdict(tmp_path: Path) -> None:
    assert compare_runs([plain_run(tmp_path)]).verdict == ''
