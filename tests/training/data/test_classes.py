"""The class of an image according to the libraries' datasets."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.registry import DATASETS, DefaultScope

from ies_mm.configuring.preflight import check_config
from ies_mm.errors import ConfigError
from ies_mm.training.data.classes import strata_of
from ies_mm.training.data.identity import InstanceMap
from runs import plain_config
from task_runs import classifier_config, segmentor_config, with_ies


def instances_of(dataset: Any, scope: str) -> InstanceMap:
    with DefaultScope.overwrite_default_scope(scope):
        return InstanceMap(DATASETS.build(dataset))


def test_of_several_classes_the_rarest_counts() -> None:
    found = [[0, 1], [0], [0], [2, 0, 2], [], [1, 2], [1]]
    # Images with class 0: 4, class 1: 3, class 2: 2.
    instances: Any = SimpleNamespace(classes=lambda: found)
    assert strata_of(instances).tolist() == [1, 0, 0, 2, -1, 2, 1]


def test_of_a_detector_s_data(voc: Path, tmp_path: Path) -> None:
    config = plain_config(voc, tmp_path)
    instances = instances_of(config.train_dataloader.dataset, 'mmdet')
    [leaf] = instances.leaves
    wanted = [
        {i['bbox_label'] for i in leaf.get_data_info(k)['instances']}
        for k in range(len(leaf))
    ]
    assert [set(found) for found in instances.classes()] == wanted
    strata = strata_of(instances)
    for label, classes in zip(strata.tolist(), wanted, strict=True):
        assert label in classes or (label == -1 and not classes)


def test_of_a_classifier_s_data(folders: Path, tmp_path: Path) -> None:
    config = classifier_config(folders, tmp_path)
    instances = instances_of(config.train_dataloader.dataset, 'mmpretrain')
    [leaf] = instances.leaves
    assert torch.equal(
        strata_of(instances), torch.from_numpy(leaf.get_gt_labels())
    )


def test_of_data_that_does_not_say() -> None:
    instances: Any = InstanceMap.__new__(InstanceMap)
    instances.leaves = [SimpleNamespace()]
    instances._numbers = [torch.arange(3)]
    with pytest.raises(ConfigError, match=r'no get_cat_ids.*by_class'):
        instances.classes()


def test_a_dataset_without_classes_is_refused_before_it_is_built(
    maps: Path, tmp_path: Path
) -> None:
    config = segmentor_config(maps, tmp_path)
    budget = dict(type='Budget', saved=0.2, by_class=True)
    config = with_ies(config, delta=budget)
    with pytest.raises(ConfigError, match='has no get_cat_ids, which lists'):
        check_config(config)
