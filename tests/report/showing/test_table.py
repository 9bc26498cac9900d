"""The table shows what the runs did, in lines that fit a terminal."""

from pathlib import Path

import pytest

from ies_mm.report.comparing.comparison import compare_runs
from ies_mm.report.comparing.figures import Spread
from ies_mm.report.showing.prose import wrapped
from ies_mm.report.showing.table import metric_text, seconds_text, table
from work_dirs import (
    config_of,
    epoch_scalars,
    ies_run,
    plain_run,
    write_start,
)


def row(text: str, label: str) -> list[str]:
    return next(
        line.split() for line in text.splitlines() if line.startswith(label)
    )


def test_the_table(tmp_path: Path) -> None:
    runs = [
        plain_run(tmp_path / 'a', 0, {2: 0.5, 4: 0.61}, train=20, val=5),
        plain_run(tmp_path / 'b', 1, {2: 0.5, 4: 0.59}, train=20, val=5),
        ies_run(tmp_path / 'c', 0, {2: 0.58, 4: 0.5}, saved=0.5, train=12.5),
    ]
    text = table(compare_runs(runs))
    assert '\n\nmetric: pascal_voc/mAP (higher is better)\n' in text
    assert row(text, 'plain') == [
        'plain', '2', '0.600', '±', '0.014', '0.600', '±', '0.014', '-', '-',
        '(80)', '-', '-', '100', '1.00x', '-',
    ]  # fmt: skip
    assert row(text, 'IES') == [
        'IES', '1', '0.580', '0.500', '50.0%', '12', '20', '4.0', '2.0', '50',
        '1.60x', '80%',
    ]  # fmt: skip


def test_it_begins_with_the_verdict_and_ends_with_the_differences(
    tmp_path: Path,
) -> None:
    runs = [
        plain_run(tmp_path / 'a', 0, {4: 0.61}),
        plain_run(tmp_path / 'b', 1, {4: 0.59}),
        ies_run(tmp_path / 'c', 0, {4: 0.60}),
        ies_run(tmp_path / 'd', 1, {4: 0.57}),
    ]
    text = table(compare_runs(runs))
    assert text.startswith('The method: IES, ')
    _, below = text.split('last metric minus that of a control')
    assert row(below, 'IES') == [
        'IES', '-0.015', '(-0.079', 'to', '+0.049,', 'n=2)', '-', '-',
    ]  # fmt: skip


def test_without_a_plain_run_there_is_no_speed_up(tmp_path: Path) -> None:
    text = table(compare_runs([ies_run(tmp_path)]))
    assert row(text, 'IES')[-2:] == ['-', '-']


def test_early_stopping_excludes_nothing(tmp_path: Path) -> None:
    hook = dict(type='EarlyStoppingHook')
    config = config_of(custom_hooks=[hook])
    lines = epoch_scalars({4: 0.5}, 4)
    text = table(compare_runs([write_start(tmp_path, config, lines)]))
    expected = ['Early', 'Stopping', '1', '0.500', '0.500', '-', '-']
    assert row(text, 'Early')[:7] == expected


def test_before_the_first_validation(tmp_path: Path) -> None:
    text = table(compare_runs([write_start(tmp_path, config_of(), [])]))
    assert text.startswith('no run has been validated yet\n')
    assert row(text, 'plain')[:5] == ['plain', '*', '1', '-', '-']


def test_it_fits_a_terminal(tmp_path: Path) -> None:
    """With the widest figures and long names."""
    hook = {'type': 'VeryLongNameOfAHook', 'a_very_long_setting': 'b' * 40}
    values = {2: 66.44, 4: 66.41}
    runs = [
        plain_run(tmp_path / 'a' / ('x' * 30), 0, values, train=20000),
        plain_run(tmp_path / 'b' / ('y' * 30), 1, values, train=20000),
        ies_run(tmp_path / 'c', 0, values, train=12000),
        ies_run(tmp_path / 'd', 0, values, hook=hook, train=12000),
    ]
    text = table(compare_runs(runs))
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize(
    ('spread', 'text'),
    [
        (Spread(0.8384, 0.0061), '0.838 ± 0.006'),
        (Spread(66.387, 0.412), '66.39 ± 0.41'),
        (Spread(0.5, None), '0.500'),
        (None, '-'),
    ],
)
def test_decimals_of_a_metric(spread: Spread | None, text: str) -> None:
    assert metric_text(spread) == text


@pytest.mark.parametrize(
    ('seconds', 'text'),
    [
        (0.0, '0.0'),
        (0.04, '<0.1'),
        (9.94, '9.9'),
        (12.6, '13'),
        (12345.6, '12,346'),
    ],
)
def test_decimals_of_seconds(seconds: float, text: str) -> None:
    assert seconds_text(Spread(seconds, None)) == text


def test_no_line_ends_between_an_option_and_its_value() -> None:
    for words in range(40):
        text = f'{"word " * words}`ies-mm train CONFIG --length 0.6`.'
        lines = wrapped(text).splitlines()
        assert any('--length 0.6' in line for line in lines)
        assert ' '.join(line.strip() for line in lines) == text
