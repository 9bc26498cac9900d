"""Metrics by group, against hand-counted tables."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.registry import METRICS, init_default_scope
from mmengine.structures import BaseDataElement, InstanceData, PixelData

import ies_mm.engine  # noqa: F401
from ies_mm.errors import ConfigError
from ies_mm.groups.metric import GroupMetric


def evaluated(
    metric: GroupMetric, samples: Sequence[Any], classes: Any
) -> Any:
    """Evaluate as MMEngine's evaluator does, in two batches."""
    metric.dataset_meta = dict(classes=classes)
    half = len(samples) // 2
    for part in (samples[:half], samples[half:]):
        metric.process(None, [sample.to_dict() for sample in part])
    return metric.evaluate(len(samples))


def image(label: int, predicted: int, group: str = '', path: str = '') -> Any:
    """A classified image; the scores of three classes give the prediction."""
    score = torch.full((3,), 0.1)
    score[predicted] = 0.8
    return BaseDataElement(
        gt_label=torch.tensor([label]),
        pred_score=score,
        metainfo=dict(group=group, img_path=path),
    )


# 6 women and 4 men; by hand:
#            women            men
#          pred 0  pred 1   pred 0  pred 1
# true 0      1       1        2       0
# true 1      1       3        1       1
TABLE = {
    'women': [[1, 1], [1, 3]],
    'men': [[2, 0], [1, 1]],
}
BY_HAND = {
    'group/accuracy': 70.0,
    'group/recall': 100 * 4 / 6,
    'group/women/accuracy': 100 * 4 / 6,
    'group/women/recall': 75.0,
    'group/men/accuracy': 75.0,
    'group/men/recall': 50.0,
    'group/demographic_parity_difference': 4 / 6 - 1 / 4,
}


def faces(table: dict = TABLE, path: str = '{}/{}.jpg') -> list[Any]:
    found = []
    for group, rows in table.items():
        for label, row in enumerate(rows):
            for predicted, number in enumerate(row):
                for _ in range(number):
                    name = path.format(group, len(found))
                    found.append(image(label, predicted, group, name))
    return found


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
        path.write_text(''.join(f'"{k}",{v}\n' for k, v in groups.items()))
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


def labelled(labels: list[int], predicted: list[int], group: str) -> Any:
    return BaseDataElement(
        gt_sem_seg=PixelData(data=torch.tensor(labels).view(1, 2, 2)),
        pred_sem_seg=PixelData(data=torch.tensor(predicted).view(1, 2, 2)),
        metainfo=dict(group=group),
    )


def test_a_segmentor_by_hand() -> None:
    samples = [
        labelled([0, 0, 1, 255], [0, 1, 1, 0], 'day'),
        labelled([1, 1, 1, 1], [1, 1, 1, 0], 'night'),
        labelled([0, 0, 0, 0], [0, 0, 0, 0], 'night'),
    ]
    found = evaluated(GroupMetric(), samples, ('road', 'car'))
    assert found['group/day/mIoU'] == pytest.approx(50)
    assert found['group/day/accuracy'] == pytest.approx(100 * 2 / 3)
    assert found['group/night/mIoU'] == pytest.approx(
        100 * (4 / 5 + 3 / 4) / 2
    )
    assert found['group/night/recall'] == pytest.approx(100 * (1 + 3 / 4) / 2)
    assert found['group/mIoU'] == pytest.approx(100 * (5 / 7 + 4 / 6) / 2)
    assert not any('parity' in name for name in found)


def boxes(*rows: tuple[int, int]) -> torch.Tensor:
    """10 x 10 pixel boxes, by their corners."""
    corner = torch.tensor(rows).view(-1, 2).float()
    return torch.cat([corner, corner + 10], dim=1)


def detected(given: list, found: list, group: str) -> Any:
    """Boxes as (class, x, y), detections as (class, x, y, score)."""
    return BaseDataElement(
        gt_instances=InstanceData(
            bboxes=boxes(*[(x, y) for _, x, y in given]),
            labels=torch.tensor([k for k, *_ in given], dtype=torch.long),
        ),
        pred_instances=InstanceData(
            bboxes=boxes(*[(x, y) for _, x, y, _ in found]),
            labels=torch.tensor([k for k, *_ in found], dtype=torch.long),
            scores=torch.tensor([score for *_, score in found]),
        ),
        metainfo=dict(group=group),
    )


def test_a_detector_by_hand() -> None:
    """Duplicates count once; wrong classes and low scores do not."""
    samples = [
        detected(
            [(0, 0, 0), (0, 40, 40), (1, 80, 80)],
            [(0, 1, 1, 0.9), (0, 0, 1, 0.8), (1, 41, 40, 0.9),
             (1, 80, 81, 0.2)],
            'young',
        ),
        detected([(1, 5, 5)], [(1, 5, 6, 0.5)], 'old'),
        detected([], [(0, 5, 6, 0.5)], 'old'),
        detected([(0, 5, 5), (0, 9, 9)], [], 'old'),
    ]  # fmt: skip
    found = evaluated(GroupMetric(), samples, ('cell', 'platelet'))
    assert found == pytest.approx(
        {
            'group/recall': 2 / 6,
            'group/young/recall': 1 / 3,
            'group/old/recall': 1 / 3,
        }
    )
    by_class = GroupMetric(dict(small=['platelet']), score_thr=0.1)
    found = evaluated(by_class, samples, ('cell', 'platelet'))
    assert found['group/small/recall'] == 1


@pytest.mark.parametrize('scope', ['mmdet', 'mmseg', 'mmpretrain'])
def test_every_library_finds_it(scope: str) -> None:
    init_default_scope(scope)
    assert isinstance(METRICS.build(dict(type='GroupMetric')), GroupMetric)


@pytest.mark.parametrize(
    ('name', 'content', 'words'),
    [
        ('a.json', '[1]', 'one JSON object, path -> group'),
        ('a.json', '{"a": ["b"]}', 'one JSON object, path -> group'),
        ('a.json', '{"a"', 'is not a JSON file'),
        ('a.csv', 'a,b\nc\n', 'line 2: expected two columns'),
        ('a.txt', 'a b', 'give a .json file'),
        ('none.csv', None, 'cannot be read: No such file'),
    ],
)
def test_files_that_cannot_be_used(
    name: str, content: str | None, words: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(ConfigError, match=words):
        GroupMetric(str(tmp_path / name))


def test_an_image_that_the_file_does_not_name(tmp_path: Path) -> None:
    (tmp_path / 'a.json').write_text('{"b.jpg": "x"}')
    with pytest.raises(ConfigError, match=r'names no group for c/d\.jpg'):
        evaluated(
            GroupMetric(str(tmp_path / 'a.json')),
            [image(0, 0, path='c/b.jpg'), image(0, 0, path='c/d.jpg')],
            ('a', 'b'),
        )


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (dict(key='age'), "the samples have no 'age'"),
        (dict(positive=2), 'positive=2, but there are 2 classes'),
        (dict(positive='c'), "there is no class 'c'; the dataset has a, b"),
        (dict(groups=dict(x=['c'])), "there is no class 'c'"),
    ],
)
def test_arguments_that_do_not_fit_the_data(
    arguments: dict, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        evaluated(GroupMetric(**arguments), faces(), ('a', 'b'))


def test_images_of_several_classes_are_refused() -> None:
    sample = BaseDataElement(
        gt_label=torch.tensor([0, 1]), pred_score=torch.rand(2)
    )
    with pytest.raises(ConfigError, match='one of 2 classes'):
        evaluated(GroupMetric(dict(x=['a'])), [sample], ('a', 'b'))
