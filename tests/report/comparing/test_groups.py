"""Which runs form a group, and their labels."""

from pathlib import Path

import pytest

from ies_mm.report.comparing.groups import Group, baselines_of, group_runs
from ies_mm.report.comparing.labels import labelled
from ies_mm.report.reading.runs import read_run
from work_dirs import (
    config_of,
    epoch_scalars,
    ies_run,
    plain_run,
    write_start,
)


def groups_of(*work_dirs: Path) -> list[Group]:
    return labelled(group_runs([read_run(path) for path in work_dirs]))


def members(groups: list[Group]) -> dict[str, list[str]]:
    return {g.label: [run.work_dir.name for run in g.runs] for g in groups}


def configured(work_dir: Path, config: dict) -> Path:
    """A finished plain run with changes to its config."""
    return write_start(work_dir, config, epoch_scalars({4: 0.5}, 4))


def test_runs_that_differ_by_seed_are_one_group(tmp_path: Path) -> None:
    groups = groups_of(
        ies_run(tmp_path / 'a', seed=1),
        plain_run(tmp_path / 'b', seed=2),
        ies_run(tmp_path / 'c', seed=0),
        plain_run(tmp_path / 'd', seed=0),
    )
    assert members(groups) == {'plain': ['d', 'b'], 'IES': ['c', 'a']}


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('work_dir', 'elsewhere'),
        ('experiment_name', 'another'),
        ('launcher', 'pytorch'),
        ('log_level', 'DEBUG'),
        ('test_dataloader', {'batch_size': 9}),
        ('custom_imports', {'imports': ['a']}),
        ('default_hooks__logger__interval', 1),
        ('default_hooks__ies__keep_history', True),
        ('default_hooks__checkpoint', {'max_keep_ckpts': -1}),
    ],
)
def test_what_changes_no_training_makes_no_group(
    tmp_path: Path, key: str, value: object
) -> None:
    one, two = config_of(hook={}), config_of(1, {}, **{key: value})
    groups = groups_of(
        configured(tmp_path / 'a', one), configured(tmp_path / 'b', two)
    )
    assert len(groups) == 1


def test_the_hook_may_be_in_custom_hooks(tmp_path: Path) -> None:
    configs = [config_of(seed, {}) for seed in range(3)]
    for config in configs[:2]:
        hook = config['default_hooks'].pop('ies')
        config['custom_hooks'] = [hook]
    configs[1]['custom_hooks'][0]['keep_history'] = True
    [group] = groups_of(
        *(configured(tmp_path / str(i), c) for i, c in enumerate(configs))
    )
    assert 'default_hooks.ies.type' in group.settings
    # A plain config has none, so it would count as a difference.
    assert 'custom_hooks' not in group.settings


def test_settings_that_differ_are_in_the_label(tmp_path: Path) -> None:
    groups = groups_of(
        ies_run(tmp_path / 'a', hook={'delta': 0.1}),
        ies_run(tmp_path / 'b', hook={'delta': 0.2, 'begin': 3}),
        plain_run(tmp_path / 'c'),
    )
    labels = [
        'plain',
        'IES, delta=0.1',
        'IES, begin=3, delta=0.2',
    ]
    assert [group.label for group in groups] == labels


def test_an_argument_that_is_a_dict_in_some_is_named_whole(
    tmp_path: Path,
) -> None:
    spaced = {'type': 'Spaced', 'cap': 8, 'by': 'training'}
    groups = groups_of(
        ies_run(tmp_path / 'a'),
        ies_run(tmp_path / 'b', hook={'refresh_interval': 5}),
        ies_run(tmp_path / 'c', hook={'refresh_interval': spaced}),
    )
    assert [group.label for group in groups] == [
        'IES, scored every epoch',
        'IES, scored every 5 epochs',
        'IES, spaced by training (cap 8)',
    ]


def test_an_argument_of_some_that_is_a_dict(tmp_path: Path) -> None:
    groups = groups_of(
        ies_run(tmp_path / 'a', hook={'delta': 0.1}),
        ies_run(
            tmp_path / 'b', hook={'delta': {'type': 'Budget', 'saved': 0.2}}
        ),
    )
    assert [g.label for g in groups] == ['IES, delta=0.1', 'IES, Budget 0.2']


def test_shuffled_passes_are_named(tmp_path: Path) -> None:
    hook = {'type': 'RandomRemovalHook', 'saved': 0.4}
    groups = groups_of(
        ies_run(tmp_path / 'a', hook=hook, method='Random Remove'),
        ies_run(
            tmp_path / 'b',
            hook={**hook, 'replacement': False},
            method='Random Remove',
        ),
    )
    assert [g.label for g in groups] == [
        'random pruning',
        'shuffled passes',
    ]


def test_soft_ies_in_turn_is_named(tmp_path: Path) -> None:
    hook = {'type': 'SoftIESHook', 'saved': 0.4}
    runs = [
        ies_run(tmp_path / name, hook=hook | more, method='Soft IES')
        for name, more in (('a', {}), ('b', {'replacement': False}))
    ]
    labels = [group.label for group in groups_of(*runs)]
    assert labels == ['Soft IES', 'Soft IES, in turn']
    [alone] = groups_of(runs[1])
    assert alone.label == 'Soft IES, in turn'


def test_no_two_groups_have_the_same_label(tmp_path: Path) -> None:
    """Long paths keep their ends; remaining duplicates get a number."""
    paths = ['checkpoints/one/a.pth', 'checkpoints/one/b.pth']
    groups = groups_of(
        *(
            configured(tmp_path / str(k), config_of(load_from=path))
            for k, path in enumerate([*paths, 'elsewhere/ts/one/b.pth'])
        )
    )
    labels = [group.label for group in groups]
    assert labels[0] == 'plain, load_from=../one/a.pth'
    assert len({*labels}) == 3
    assert labels[2] == f'{labels[1]} (2)'
    unfinished = groups_of(
        ies_run(tmp_path / 'x' / 'seed0', values={2: 0.5}),
        ies_run(tmp_path / 'y' / 'seed0', values={2: 0.5}),
    )
    assert len({group.label for group in unfinished}) == 2


def test_spaced_looks_without_a_cap(tmp_path: Path) -> None:
    groups = groups_of(
        ies_run(tmp_path / 'a', hook={'refresh_interval': {'type': 'Spaced'}}),
        ies_run(tmp_path / 'b'),
    )
    assert 'IES, spaced by scoring (cap 8)' in [g.label for g in groups]


def test_a_shortened_training_is_a_method(tmp_path: Path) -> None:
    short = config_of(ies_mm_length=0.6, train_cfg__max_epochs=2)
    groups = groups_of(
        ies_run(tmp_path / 'a'),
        write_start(tmp_path / 'b', short, epoch_scalars({2: 0.5}, 2)),
        plain_run(tmp_path / 'c'),
    )
    labels = [group.label for group in groups]
    assert labels == ['plain', 'short plain 60%', 'IES']


def test_settings_of_the_method_come_first(tmp_path: Path) -> None:
    groups = groups_of(
        configured(tmp_path / 'a', config_of(0, {'delta': 1}, auto='x')),
        configured(tmp_path / 'b', config_of(0, {'delta': 2}, auto='y')),
    )
    labels = ['IES, delta=1, auto=x', 'IES, delta=2, auto=y']
    assert [group.label for group in groups] == labels


def test_a_helper_variable_is_not_named_twice(tmp_path: Path) -> None:
    """OpenMMLab's configs also keep max_epochs in a variable."""
    short = config_of(max_epochs=4)
    long = config_of(max_epochs=2, train_cfg__max_epochs=2)
    groups = groups_of(
        configured(tmp_path / 'a', short), configured(tmp_path / 'b', long)
    )
    labels = ['plain, max_epochs=4', 'plain, max_epochs=2 *']
    assert [group.label for group in groups] == labels


def test_a_dry_run_is_a_method(tmp_path: Path) -> None:
    groups = groups_of(
        ies_run(tmp_path / 'a'), ies_run(tmp_path / 'b', hook={'dry_run': 1})
    )
    assert members(groups) == {'IES': ['a'], 'IES dry run': ['b']}


def test_unfinished_runs_are_not_pooled(tmp_path: Path) -> None:
    groups = groups_of(
        ies_run(tmp_path / 'new', values={2: 0.5}),
        ies_run(tmp_path / 'newer', values={2: 0.5}, seed=1),
        ies_run(tmp_path / 'old', seed=2),
    )
    assert members(groups) == {
        'IES': ['old'],
        'IES new *': ['new'],
        'IES newer *': ['newer'],
    }
    # They still share a config, and therefore a colour.
    assert {group.family for group in groups} == {'IES'}


def test_a_single_unfinished_run_needs_no_name(tmp_path: Path) -> None:
    groups = groups_of(
        ies_run(tmp_path / 'a'), ies_run(tmp_path / 'b', values={2: 0.5})
    )
    assert [group.label for group in groups] == ['IES', 'IES *']


def baselines(groups: list[Group], label: str) -> list[str]:
    own = next(group for group in groups if group.label == label)
    return [group.label for group in baselines_of(own, groups)]


def test_the_only_plain_group_is_the_baseline(tmp_path: Path) -> None:
    other = config_of(train_dataloader__batch_size=16)
    groups = groups_of(
        ies_run(tmp_path / 'a'), configured(tmp_path / 'b', other)
    )
    assert baselines(groups, 'IES') == ['plain']
    assert baselines(groups, 'plain') == ['plain']


def test_of_plain_groups_the_one_with_the_same_config(tmp_path: Path) -> None:
    large = config_of(train_dataloader__batch_size=16)
    small = config_of()
    groups = groups_of(
        configured(tmp_path / 'a', large),
        configured(tmp_path / 'b', small),
        ies_run(tmp_path / 'c'),
    )
    assert baselines(groups, 'IES') == ['plain, batch_size=2']


def test_without_a_finished_plain_run_there_is_none(tmp_path: Path) -> None:
    groups = groups_of(
        ies_run(tmp_path / 'a'), plain_run(tmp_path / 'b', values={2: 0.5})
    )
    assert baselines(groups, 'IES') == []


def test_none_of_several_fits(tmp_path: Path) -> None:
    two = config_of(train_dataloader__batch_size=4)
    three = config_of(train_dataloader__batch_size=8)
    groups = groups_of(
        configured(tmp_path / 'a', two),
        configured(tmp_path / 'b', three),
        ies_run(tmp_path / 'c'),
    )
    assert baselines(groups, 'IES') == []


def test_a_part_that_some_have_is_named_by_its_type(tmp_path: Path) -> None:
    """Not by every one of its arguments."""
    dynamics = dict(type='TrainingDynamicsHook', interval=5, images=128)
    cutmix = [dict(type='CutMix', alpha=1.0), dict(type='Mixup', alpha=0.8)]
    watched = config_of(default_hooks__dynamics=dynamics)
    longer = config_of(default_hooks__dynamics=dynamics | dict(images=256))
    other = config_of(default_hooks__dynamics=dynamics | dict(type='OwnHook'))
    mixed = config_of(model__train_cfg=dict(augments=cutmix))
    groups = groups_of(
        configured(tmp_path / 'a', config_of()),
        configured(tmp_path / 'b', watched),
        configured(tmp_path / 'c', longer),
        configured(tmp_path / 'd', other),
        configured(tmp_path / 'e', mixed),
    )
    assert [group.label for group in groups] == [
        'plain',
        'plain, TrainingDynamics, images=128',
        'plain, TrainingDynamics, images=256',
        'plain, Own, images=128',
        'plain, CutMix, Mixup',
    ]


@pytest.mark.parametrize(
    ('value', 'text'),
    [
        (0.30000000000000004, '0.3'),
        (0.12345678901, '0.123457'),
        (12345678901234, '12345678901234'),
        ('a_name_that_is_long', 'a_name_tha..'),
        ('data/a_file_that_is_long.txt', '..s_long.txt'),
    ],
)
def test_a_number_keeps_its_first_digits(
    tmp_path: Path, value: object, text: str
) -> None:
    groups = groups_of(
        ies_run(tmp_path / 'a', hook={'x': value}),
        ies_run(tmp_path / 'b', hook={'x': 0.5}),
    )
    assert f'IES, x={text}' in {group.label for group in groups}
