"""A method against its controls, seed by seed."""

import math
import shutil
from pathlib import Path

import pytest
from scipy import stats

from compared_runs import (
    comparison,
    differences,
    random_run,
    short_run,
    values,
)
from ies_mm.report.comparing.comparison import compare_runs
from work_dirs import (
    config_of,
    epoch_scalars,
    ies_run,
    plain_run,
    write_start,
)


@pytest.mark.parametrize(
    ('kind', 'of'),
    [
        ('plain', 'plain'),
        ('short plain', 'short'),
        ('random pruning', 'drawn'),
    ],
)
def test_it_is_the_paired_t_interval(
    tmp_path: Path, kind: str, of: str
) -> None:
    found = differences(comparison(tmp_path), 'IES')[kind]
    tested = stats.ttest_rel(values('ies'), values(of))
    wanted = tested.confidence_interval(0.95)
    assert found.by_seed == pytest.approx(list(values('ies') - values(of)))
    assert found.interval == pytest.approx((wanted.low, wanted.high))
    assert (found.sign_among(1) != 0) == (tested.pvalue < 0.05)


def test_a_control_is_compared_with_the_other_controls(tmp_path: Path) -> None:
    found = comparison(tmp_path)
    assert {*differences(found, 'plain')} == set()
    assert {*differences(found, 'short plain 75%')} == {
        'plain', 'random pruning'
    }  # fmt: skip
    assert {*differences(found, 'random pruning')} == {'plain', 'short plain'}


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
                {'plain': 0.03, 'random pruning': 0.02}
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
    found = differences(compare_runs(runs), 'IES')['random pruning']
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
    found = differences(compare_runs(runs), 'IES')['random pruning']
    assert found.by_seed == pytest.approx([-0.01, -0.01])


@pytest.mark.parametrize('seeds', [2, 4])
def test_equal_differences_have_no_interval(
    tmp_path: Path, seeds: int
) -> None:
    """Metrics of few test images repeat; that is no proof."""
    runs = []
    for seed in range(seeds):
        drawn = 0.5 + seed / 10
        runs += [
            ies_run(tmp_path / f'i{seed}', seed, {4: drawn + 0.02}, saved=0.2),
            random_run(tmp_path / f'r{seed}', seed, drawn, 0.2),
        ]
    comparison = compare_runs(runs)
    found = differences(comparison, 'IES')['random pruning']
    assert found.interval is None
    assert found.sign_among(1) is None
    assert f'+0.020 (the same in {seeds} seeds) from' in comparison.verdict
    assert 'above' not in comparison.verdict


def test_the_runs_of_a_seed_are_averaged(tmp_path: Path) -> None:
    """In any order: 0.4 and 0.8 of seed 0 are 0.6."""
    runs = []
    for seed in (0, 1):
        drawn = {4: 0.4 + seed / 10}
        runs += [
            ies_run(tmp_path / f'i{seed}', seed, {4: 0.65}, saved=0.2),
            random_run(tmp_path / f'r{seed}', seed, drawn[4], 0.2),
        ]
    again = random_run(tmp_path / 'again', 0, 0.8, 0.2)
    for order in ([*runs, again], [again, *runs]):
        comparison = compare_runs(order)
        found = differences(comparison, 'IES')['random pruning']
        assert found.by_seed == pytest.approx([0.05, 0.15])
        [note] = [n for n in comparison.notes if 'have the seed 0' in n]
        assert 'differences take their mean' in note


@pytest.mark.parametrize('argument', ['static', 'rescale'])
def test_random_pruning_of_another_kind_is_no_control(
    tmp_path: Path, argument: str
) -> None:
    """Nor a method, but compared with the control itself."""
    runs = []
    for seed in range(3):
        changed = random_run(
            tmp_path / f's{seed}', seed, 0.55 + seed / 90, 0.2,
            **{argument: True},
        )  # fmt: skip
        ies = ies_run(tmp_path / f'i{seed}', seed, {4: 0.6}, saved=0.2)
        runs += [changed, ies]
    assert 'random pruning' not in differences(compare_runs(runs), 'IES')
    runs.append(random_run(tmp_path / 'r0', 0, 0.7, 0.2))
    found = compare_runs(runs)
    over_random = differences(found, 'IES')['random pruning']
    assert over_random.by_seed == pytest.approx([-0.1])
    [other] = [r for r in found.rows if argument in r.group.label]
    assert [d.kind for d in other.differences] == ['random pruning']
    assert found.verdict.startswith('The method: IES')


def test_the_better_match_comes_before_more_seeds(tmp_path: Path) -> None:
    runs = [short_run(tmp_path / 'near', 0, 0.5, 0.8)]
    for seed in range(3):
        runs += [
            ies_run(tmp_path / f'i{seed}', seed, {4: 0.6}, saved=0.2),
            short_run(tmp_path / f'far{seed}', seed, 0.4, 0.78),
        ]
    found = differences(compare_runs(runs), 'IES')['short plain']
    assert (found.control, len(found.by_seed)) == ('short plain 80%', 1)


def test_nothing_is_minus_zero(tmp_path: Path) -> None:
    runs = [
        plain_run(tmp_path / 'p', 0, {4: 0.6001}),
        ies_run(tmp_path / 'i', 0, {4: 0.6}, saved=0.2),
    ]
    found = differences(compare_runs(runs), 'IES')['plain']
    assert found.text(found.mean) == '+0.000'


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
    assert 'add `--seed 0`' in found.verdict
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
