"""The verdict on a comparison, and what it lacks."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from compared_runs import (
    SEEDS,
    comparison,
    differences,
    random_run,
    short_run,
    values,
)
from ies_mm.report.comparing.comparison import compare_runs
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


def test_the_verdict_names_the_best_method_and_its_intervals(
    tmp_path: Path,
) -> None:
    found = comparison(tmp_path)
    assert found.verdict.startswith(
        'The method: IES, 25% saved. Difference in the last metric: '
    )
    for difference in differences(found, 'IES').values():
        low, high = difference.interval
        assert f'95% interval {low:+.3f} to {high:+.3f}; 4 seeds' in (
            found.verdict
        )
    assert 'No ' not in found.verdict


@pytest.mark.parametrize('first', ['full', 'halved'])
def test_a_plain_run_shortened_by_hand_is_not_the_full_one(
    tmp_path: Path, first: str
) -> None:
    """Without ``--length``, whichever folder comes first."""
    runs = []
    for seed in range(3):
        halved = config_of(seed, train_cfg__max_epochs=2)
        write_start(tmp_path / f'h{seed}', halved, epoch_scalars({2: 0.4}, 2))
        full = plain_run(tmp_path / f'p{seed}', seed, {4: 0.6 + seed / 100})
        pair = [full, tmp_path / f'h{seed}']
        runs += pair if first == 'full' else pair[::-1]
        runs.append(ies_run(tmp_path / f'i{seed}', seed, {4: 0.55}, saved=0.5))
    found = differences(compare_runs(runs), 'IES')['plain']
    assert found.mean == pytest.approx(-0.06)


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
    assert (
        f'(95% interval {low:+.3f} to {high:+.3f}, corrected for the best of '
        '2; 3 seeds) from the full plain run'
    ) in found.verdict
    assert low < alone.interval[0] < alone.interval[1] < high


@pytest.mark.parametrize(
    ('losses', 'words'),
    [
        ((0.03, -0.05), 'from the full plain run, too few seeds to tell.'),
        ((0.03, 0.05, 0.04), 'from the full plain run, below.'),
        ((0.03, -0.05, 0.04), 'not distinguishable: unless more seeds show'),
        ((0.03,), '-0.030 (one seed) from the full plain run.'),
    ],
)
def test_the_verdict_says_what_training_shorter_costs(
    tmp_path: Path, losses: tuple[float, ...], words: str
) -> None:
    """If it costs nothing, there is nothing for a method to win back."""
    runs = []
    for seed, loss in enumerate(losses):
        runs += [
            plain_run(tmp_path / f'p{seed}', seed, {4: 0.6}),
            short_run(tmp_path / f's{seed}', seed, 0.6 - loss, 0.75, 3),
            ies_run(tmp_path / f'i{seed}', seed, {4: 0.58}, saved=0.25),
        ]
    verdict = compare_runs(runs).verdict
    instead = verdict.partition('Training shorter instead: ')[2]
    assert instead.startswith(f'{-np.mean(losses):+.3f} (')
    assert words in instead
    if len(losses) > 1:
        low, high = stats.t.interval(
            0.95, len(losses) - 1, -np.mean(losses), stats.sem(losses)
        )
        interval = f'95% interval {low:+.3f} to {high:+.3f}'
        assert f'{interval}; {len(losses)} seeds' in instead


def test_the_verdict_says_what_is_missing(tmp_path: Path) -> None:
    found = compare_runs(
        [
            plain_run(tmp_path / 'a', 0, {4: 0.5}),
            ies_run(tmp_path / 'b', 0, {4: 0.6}, saved=0.2),
        ]
    )
    assert 'One seed shows nothing' in found.verdict
    assert 'No plain training of equal compute' in found.verdict
    assert '`ies-mm train PLAIN_CONFIG --length 0.8`.' in found.verdict
    assert (
        '--method random_removal --cfg-options default_hooks.ies.saved=0.2`.'
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
    assert 'No full plain run' not in verdict
    for name, value, seed, words in (
        ('n', math.nan, 0, 'plain has no last metric'),
        ('u', 0.5, None, 'The runs of plain have no seed: add `--seed`'),
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
    passes = 'shuffled passes'
    assert f'Best method by last metric: {passes}, 25% saved' in found.verdict
    rows = {row.group.label: row.differences for row in found.rows}
    [over_random] = rows[passes]
    assert over_random.control == 'random pruning'
    assert over_random.mean == pytest.approx(0.1)
    assert [d.control for d in rows['IES']] == ['random pruning']
    assert rows['random pruning'] == []


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
    assert 'The method: shuffled passes' in compare_runs([tmp_path]).verdict


def test_three_seeds_without_a_control_are_not_one(tmp_path: Path) -> None:
    runs = [ies_run(tmp_path / f'{s}', s, {4: 0.6}) for s in range(3)]
    verdict = compare_runs(runs).verdict
    assert 'One seed' not in verdict
    assert 'No full plain run' in verdict
    assert 'One seed shows nothing' in compare_runs(runs[:1]).verdict


def test_without_a_method_there_is_no_verdict(tmp_path: Path) -> None:
    assert compare_runs([plain_run(tmp_path)]).verdict == ''


def test_two_seeds_decide_nothing(tmp_path: Path) -> None:
    """Although their interval, -0.0327 to -0.0073, excludes zero."""
    runs = []
    for seed, less in enumerate((0.019, 0.021)):
        runs += [
            plain_run(tmp_path / f'p{seed}', seed, {4: 0.6}),
            ies_run(tmp_path / f'i{seed}', seed, {4: 0.6 - less}, saved=0.2),
        ]
    verdict = compare_runs(runs).verdict
    assert (
        '-0.020 (95% interval -0.033 to -0.007; 2 seeds) from the full plain '
        'run, too few seeds to tell.'
    ) in verdict
    assert 'Two seeds show nothing: train three or more.' in verdict


@pytest.mark.parametrize(('seeds', 'named'), [(5, 'IES, delta=0.1'), (1, '')])
def test_one_seed_does_not_displace_several(
    tmp_path: Path, seeds: int, named: str
) -> None:
    lucky = ies_run(
        tmp_path / 'x', 0, {4: 0.7}, hook={'delta': 0.3}, saved=0.2
    )
    runs = [lucky]
    for seed in range(seeds):
        runs += [
            plain_run(tmp_path / f'p{seed}', seed, {4: 0.5 + seed / 90}),
            ies_run(tmp_path / f'i{seed}', seed, {4: 0.6}, saved=0.2),
        ]
    verdict = compare_runs(runs).verdict
    best = named or 'IES, delta=0.3'
    assert verdict.startswith(f'Best method by last metric: {best}, 20%')
    other = 'IES, delta=0.3 has a higher mean, but fewer seeds in common'
    assert (other in verdict) == bool(named)


def test_the_missing_control_is_as_long_as_the_method(tmp_path: Path) -> None:
    """``--length 0.4`` of a config of ten epochs."""
    runs = []
    for seed in range(3):
        run = ies_run(tmp_path / f'i{seed}', seed, {4: 0.6}, saved=0.3)
        [config] = run.glob('2*/vis_data/config.py')
        config.write_text(config.read_text() + 'length = 0.4\n')
        runs.append(run)
    verdict = compare_runs(runs).verdict
    assert (
        '`ies-mm train CONFIG --method random_removal --length 0.4 '
        '--cfg-options default_hooks.ies.saved=0.3`'
    ) in verdict
    assert '`ies-mm train PLAIN_CONFIG --length 0.4`' in verdict
    assert '`ies-mm train PLAIN_CONFIG --length 0.28`' in verdict


def test_one_paired_seed_is_no_reason_to_prefer_another(
    tmp_path: Path,
) -> None:
    """Three seeds, one with a control, are not fewer than three without."""
    runs = [random_run(tmp_path / 'r', 0, 0.5, 0.2)]
    for seed in range(3):
        high, low = tmp_path / f'h{seed}', tmp_path / f'l{seed}'
        runs += [
            ies_run(high, seed, {4: 0.7}, hook={'delta': 0.3}, saved=0.2),
            ies_run(low, seed, {4: 0.6}, hook={'delta': 0.1}, saved=0.5),
        ]
    verdict = compare_runs(runs).verdict
    assert verdict.startswith('Best method by last metric: IES, delta=0.3')
