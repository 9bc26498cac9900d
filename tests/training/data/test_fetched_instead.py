"""A dataset that fetches another image in place of one stops nothing."""

import copy
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.registry import DATASETS

from ies_mm.training.data.identity import InstanceMap
from ies_mm.training.data.tagging import INSTEAD, TAG
from iteration_runs import IMAGES
from method_cases import config_of
from odd_data_sets import BROKEN, CATCHING
from runs import FixedSelection, epochs_of, instances_of, train, with_hook
from task_runs import in_iterations

OUT = {1: [2, 3, 7], 2: [2, 3, 7]}


def catching(config: Config, kind: str) -> None:
    dataset = config.train_dataloader.dataset
    dataset.type = kind
    if kind.startswith('Asks'):
        dataset.pipeline.insert(1, dict(type='Break'))


@pytest.mark.parametrize('loop', ['epochs', 'iterations'])
def test_images_that_are_fetched_instead_stop_nothing(
    folders: Path, tmp_path: Path, loop: str
) -> None:
    """Nor are pruned images fetched instead of others."""
    config = config_of(folders, tmp_path, 3)
    if loop == 'iterations':
        config = in_iterations(config, 15)
        config.train_dataloader.sampler.type = 'IESSampler'
    refuse = dict(type='Refuse', images=[0, 1, 4, 5, 6, 8, 9, 10])
    config.train_dataloader.dataset.pipeline.insert(1, refuse)
    train(config, with_hook(FixedSelection(OUT, keep_history=True)))
    trained = instances_of(tmp_path)['trained']
    assert not trained[:, refuse['images']].any()
    # One of them may have been added to fill a batch.
    assert trained[1, OUT[1]].sum() <= 1
    assert trained[0, OUT[1]].any()
    assert len(epochs_of(tmp_path)) == len(trained) >= 2
    assert np.isfinite(instances_of(tmp_path)['losses'][trained]).all()


def of_two_parts(folders: Path, work_dir: Path, kept: list[int]) -> Path:
    """Train two parts; two images of the second cannot be read."""
    config = config_of(folders, work_dir, 3)
    first = config.train_dataloader.dataset
    second = copy.deepcopy(first)
    second.pipeline.insert(1, dict(type='Refuse', images=[1, 2]))
    config.train_dataloader.dataset = dict(
        type='ConcatDataset', datasets=[first, second]
    )
    out = [IMAGES + n for n in range(IMAGES) if n not in kept]
    train(config, with_hook(FixedSelection({1: out}, keep_history=True)))
    return work_dir


@pytest.mark.parametrize('kept', [[], [1, 2]])
def test_a_part_without_a_readable_kept_image(
    folders: Path, tmp_path: Path, kept: list[int]
) -> None:
    """Its pruned images are scored, or one of them is trained instead."""
    arrays = instances_of(of_two_parts(folders, tmp_path, kept))
    losses = arrays['losses'][:, :, 0]
    unread = [IMAGES + 1, IMAGES + 2]
    assert np.isnan(losses[:, unread]).all()
    assert np.isfinite(np.delete(losses, unread, axis=1)).all()


@pytest.mark.parametrize('kind', CATCHING)
def test_a_data_set_may_take_another_image_for_a_broken_one(
    folders: Path, tmp_path: Path, kind: str
) -> None:
    config = config_of(folders, tmp_path, 1)
    catching(config, kind)
    init_default_scope('mmpretrain')
    dataset = DATASETS.build(config.train_dataloader.dataset)
    instances = InstanceMap(dataset)
    paths = instances.paths()
    with instances.tagging():
        for index in range(len(dataset)):
            sample = dataset[index]['data_samples']
            assert sample.img_path == paths[getattr(sample, TAG)]
            assert getattr(sample, TAG) == index + (index in BROKEN)
            assert hasattr(sample, INSTEAD) == (index in BROKEN)
    assert 'transforms' in vars(dataset.pipeline)


@pytest.mark.parametrize('loop', ['epochs', 'iterations'])
@pytest.mark.parametrize('kind', CATCHING)
def test_it_is_trained(
    folders: Path, tmp_path: Path, loop: str, kind: str
) -> None:
    config = config_of(folders, tmp_path, 3)
    if loop == 'iterations':
        config = in_iterations(config, 15)
        config.train_dataloader.sampler.type = 'IESSampler'
    catching(config, kind)
    out = {epoch: [4, 8] for epoch in OUT}  # These replace the broken ones.
    train(config, with_hook(FixedSelection(out, keep_history=True)))
    trained = instances_of(tmp_path)['trained']
    assert not trained[:, BROKEN].any()
    assert trained[:, [4, 8]].any()
    assert len(trained) >= 3
