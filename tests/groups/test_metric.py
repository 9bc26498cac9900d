"""Metrics by group, against hand-counted tables."""

import json
from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import METRICS, init_default_scope

import ies_mm.engine  # noqa: F401
from group_cases import TABLE, evaluated, faces, image
from ies_mm.groups.metric import GroupMetric

BY_HAND = {
    'group/accuracy': 70.0,
    'group/recall': 100 * 4 / 6,
    'group/women/accuracy': 100 * 4 / 6,
    'group/women/recall': 75.0,
    'group/men/accuracy': 75.0,
    'group/men/recall': 50.0,
    'group/demographic_parity_difference': 4 / 6 - 1 / 4,
}


def test_a_table_counted_by_hand() -> None:
    found = evaluated(GroupMetric(), faces(), ('plain', 'attractive'))
    assert found == pytest.approx(BY_HAND)


@pytest.mark.parametrize('kind', ['json', 'csv'])
def test_groups_from_a_file(kind: str, tmp_path: Path) -> None:
    """It lists some images by file name and some by path."""
    groups = {
        sample.img_path.partition('/')[2] if number % 2 else sample.img_path:
        sample.group
        for number, sample in enumerate(faces())
    }  # fmt: skip
    path = tmp_path / f'groups.{kind}'
    if kind == 'json':
        path.write_text(json.dumps(groups))
    else:
        lines = ''.join(f'"{k}",{v}\n' for k, v in groups.items())
        # As Excel writes it, and with a blank line at the end.
        path.write_text(f'{lines}\n', encoding='utf-8-sig')
    found = evaluated(
        GroupMetric(str(path), positive='attractive'),
        faces(path='/data/{}/{}.jpg'),
        ('plain', 'attractive'),
    )
    assert found == pytest.approx(BY_HAND)


def test_names_of_groups_say_nothing() -> None:
    swapped = {'women': TABLE['men'], 'men': TABLE['women']}
    key = 'group/demographic_parity_difference'
    found = evaluated(GroupMetric(), faces(swapped), ('a', 'b'))
    assert found[key] == pytest.approx(BY_HAND[key])


def test_a_classifier_that_says_one_thing_has_parity() -> None:
    constant = {'women': [[0, 2], [0, 4]], 'men': [[0, 1], [0, 3]]}
    found = evaluated(GroupMetric(), faces(constant), ('a', 'b'))
    assert found['group/demographic_parity_difference'] == 0


def test_a_measure_of_nothing_is_left_out() -> None:
    no_positive = {'women': [[2, 1], [0, 0]], 'men': TABLE['men']}
    found = evaluated(GroupMetric(), faces(no_positive), ('a', 'b'))
    assert 'group/women/recall' not in found
    assert 'group/women/accuracy' in found


def test_as_fairlearn_and_scikit_learn_find_it() -> None:
    metrics = pytest.importorskip('fairlearn.metrics')
    from sklearn.metrics import accuracy_score, recall_score

    generator = np.random.default_rng(0)
    labels, predicted = generator.integers(0, 2, (2, 200))
    groups = generator.choice(['a', 'b', 'c'], 200)
    samples = [
        image(*one)
        for one in zip(labels, predicted, groups.tolist(), strict=True)
    ]
    found = evaluated(GroupMetric(), samples, ('no', 'yes'))
    theirs = metrics.MetricFrame(
        metrics=dict(accuracy=accuracy_score, recall=recall_score),
        y_true=labels,
        y_pred=predicted,
        sensitive_features=groups,
    )
    for name in ('accuracy', 'recall'):
        assert found[f'group/{name}'] == pytest.approx(
            100 * theirs.overall[name]
        )
        for group, value in theirs.by_group[name].items():
            assert found[f'group/{group}/{name}'] == pytest.approx(100 * value)
    assert found['group/demographic_parity_difference'] == pytest.approx(
        metrics.demographic_parity_difference(
            labels, predicted, sensitive_features=groups
        )
    )


def test_head_and_tail_classes() -> None:
    """Correct: two of three, one of two, none of one."""
    samples = [
        image(*pair) for pair in
        ((0, 0), (0, 0), (0, 1), (1, 1), (1, 0), (2, 0))
    ]  # fmt: skip
    groups = dict(head=['cat'], tail=['dog', 'eel'])
    found = evaluated(GroupMetric(groups), samples, ('cat', 'dog', 'eel'))
    assert found == pytest.approx(
        {
            'group/accuracy': 50.0,
            'group/recall': 100 * (2 / 3 + 1 / 2) / 3,
            'group/head/accuracy': 100 * 2 / 3,
            'group/head/recall': 100 * 2 / 3,
            'group/tail/accuracy': 100 / 3,
            'group/tail/recall': 25.0,
        }
    )


def test_classes_of_groups_from_the_data_set() -> None:
    metric = GroupMetric()
    metric.dataset_meta = dict(
        classes=('cat', 'dog', 'eel'), groups=dict(small=['eel'])
    )
    metric.process(None, [image(2, 2).to_dict(), image(0, 2).to_dict()])
    found = metric.evaluate(2)
    assert found['group/small/accuracy'] == 100


@pytest.mark.parametrize('scope', ['mmdet', 'mmseg', 'mmpretrain'])
def test_every_library_finds_it(scope: str) -> None:
    init_default_scope(scope)
    assert isinstance(METRICS.build(dict(type='GroupMetric')), GroupMetric)
