"""The methods that IES is compared with, in complete trainings."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ies_mm.engine import InfoBatchHook, RandomRemovalHook
from method_cases import OFF, config_of
from runs import parameters, train, with_hook
from task_runs import classifier_config, make_folders

IMAGES = 13


@pytest.fixture(scope='module')
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folders(tmp_path_factory.mktemp('folders'), IMAGES)


@pytest.mark.parametrize(
    ('hook', 'arguments'), OFF, ids=lambda part: getattr(part, '__name__', '')
)
def test_a_method_that_leaves_nothing_out_is_the_plain_run(
    folders: Path, tmp_path: Path, hook: type, arguments: dict
) -> None:
    """Bit-identical; the last batch of 13 images has three."""
    plain = classifier_config(folders, tmp_path / 'plain')
    ours = config_of(folders, tmp_path / 'ours', 2)
    plain.train_dataloader.batch_size = ours.train_dataloader.batch_size = 5
    expected = parameters(train(plain))
    found = parameters(train(ours, with_hook(hook(**arguments))))
    assert all(torch.equal(found[k], expected[k]) for k in expected)


@pytest.mark.parametrize('ratio', [1, -0.1, float('nan')])
@pytest.mark.parametrize('hook', [InfoBatchHook, RandomRemovalHook])
def test_ratios_out_of_range(hook: Any, ratio: float) -> None:
    with pytest.raises(ValueError, match='give a number from 0 to below 1'):
        hook(ratio=ratio)


def test_a_flag_that_is_none() -> None:
    with pytest.raises(TypeError, match="keep_history='no': give True or"):
        InfoBatchHook(keep_history='no')
