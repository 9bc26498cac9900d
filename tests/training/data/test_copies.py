"""What stands in for a dataset or pipeline can be copied, as they can."""

import copy
import pickle
from collections.abc import Callable

import pytest
from mmengine.dataset import BaseDataset

from ies_mm.training.data.mixable_images import KeptPart
from ies_mm.training.data.pipeline_failures import giving_up


@pytest.mark.parametrize('copied', [copy.copy, copy.deepcopy])
def test_a_restricted_dataset(copied: Callable) -> None:
    part = copied(KeptPart([10, 11, 12], [2, 0]))
    assert [part[0], part[1]] == [12, 10]


def test_a_restricted_dataset_in_a_worker() -> None:
    part = pickle.loads(pickle.dumps(KeptPart([10, 11, 12], [2, 0])))
    assert len(part) == 2


def test_a_dataset_whose_pipeline_is_watched() -> None:
    dataset = BaseDataset(lazy_init=True, pipeline=[])
    with giving_up(dataset, set()):
        assert copy.deepcopy(dataset).pipeline({'x': 1}) == {'x': 1}
