"""Every observation is recorded for the image it was made on.

With fixed weights, every image has one loss of its own: the one that the
model computes for it alone.
"""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.runner import Runner
from mmpretrain.datasets import CustomDataset
from mmpretrain.registry import DATASETS

import transforms  # noqa: F401
from runs import FixedSelection, instances_of, train, with_hook
from task_runs import (
    CLASSES,
    classifier_config,
    in_iterations,
    make_folders,
    with_sampler,
)

IMAGES = 14
OUT = {epoch: [1, 4, 5, 9] for epoch in range(1, 20)}

Change = Callable[[Config, Path], None]


@pytest.fixture(scope='module')
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('planted')
    make_folders(root / 'first', IMAGES, seed=1)
    make_folders(root / 'second', 6, seed=2)
    return root


def wrap(wrapper: dict) -> Change:
    def change(config: Config, root: Path) -> None:
        inner = config.train_dataloader.dataset
        config.train_dataloader.dataset = wrapper | dict(dataset=inner)

    return change


def concatenated(config: Config, root: Path) -> None:
    first = config.train_dataloader.dataset.to_dict()
    second = first | dict(data_root=str(root / 'second'))
    config.train_dataloader.dataset = dict(
        type='ConcatDataset', datasets=[first, second]
    )


def nested(config: Config, root: Path) -> None:
    first = config.train_dataloader.dataset.to_dict()
    second = first | dict(data_root=str(root / 'second'))
    repeated = dict(type='RepeatDataset', times=2, dataset=second)
    config.train_dataloader.dataset = dict(
        type='RepeatDataset',
        times=2,
        dataset=dict(type='ConcatDataset', datasets=[repeated, first]),
    )


def few(config: Config, root: Path) -> None:
    config.train_dataloader.dataset.indices = [13, 2, 5, 11, 0, 7, 8, 3, 9, 10]


@DATASETS.register_module()
class Filtered(CustomDataset):
    """Drops what ``filter_cfg`` lists, like mmdet's datasets."""

    def filter_data(self) -> list[dict]:
        out = self.filter_cfg['out']
        return [d for i, d in enumerate(self.data_list) if i not in out]


def filtered(config: Config, root: Path) -> None:
    config.train_dataloader.dataset.type = 'Filtered'
    config.train_dataloader.dataset.filter_cfg = dict(out=[0, 6, 7])


def lists(config: Config, root: Path) -> None:
    config.train_dataloader.dataset.serialize_data = False


def refused(config: Config, root: Path) -> None:
    """The pipeline rejects two images; others replace them."""
    config.train_dataloader.dataset.pipeline.insert(
        1, dict(type='Refuse', images=[2, 5])
    )


def workers(method: str, persistent: bool) -> Change:
    def change(config: Config, root: Path) -> None:
        config.train_dataloader.num_workers = 2
        config.train_dataloader.persistent_workers = persistent
        config.train_dataloader.multiprocessing_context = method

    return change


def endless(config: Config, root: Path) -> None:
    in_iterations(config, 45)


CHANGES: dict[str, list[Change]] = {
    'leaf': [],
    'lists': [lists],
    'indices': [few],
    'filtered': [filtered],
    'filtered, nested': [lists, filtered, nested],
    'repeat': [wrap(dict(type='RepeatDataset', times=3))],
    'balanced': [wrap(dict(type='ClassBalancedDataset', oversample_thr=0.9))],
    'concat': [concatenated],
    'nested': [nested],
    'refused': [refused],
    'fork': [nested, workers('fork', persistent=True)],
    'fork, refused': [refused, workers('fork', persistent=False)],
    'spawn': [lists, workers('spawn', persistent=False)],
    'endless': [nested, endless],
    'endless, fork': [refused, endless, workers('fork', persistent=True)],
}


def frozen(root: Path, work_dir: Path, changes: list[Change]) -> Config:
    config = classifier_config(root / 'first', work_dir)
    config.train_dataloader.dataset.pipeline.pop(1)
    config.train_cfg.max_epochs = 4
    config.optim_wrapper.optimizer.lr = 0.0
    config.model.backbone.norm_eval = True
    for change in changes:
        change(config, root)
    return with_sampler(config)


def alone(runner: Runner, path: str) -> float:
    """The model's loss of one image, loaded only by this function."""
    image = torch.from_numpy(cv2.imread(path)).permute(2, 0, 1)
    dataset = runner.train_dataloader.dataset
    while not hasattr(dataset, 'pipeline'):
        dataset = getattr(dataset, 'dataset', None) or dataset.datasets[0]
    label = CLASSES.index(Path(path).parent.name)
    sample = dataset.pipeline.transforms[-1](
        {'img': cv2.imread(path), 'gt_label': label, 'img_path': path}
    )
    assert torch.equal(sample['inputs'], image)
    batch = runner.model.data_preprocessor(pseudo_collate([sample]), True)
    with torch.no_grad():
        return float(runner.model(**batch, mode='loss')['loss'])


@pytest.mark.parametrize('name', CHANGES)
def test_every_image_has_its_own_loss(
    folders: Path, tmp_path: Path, name: str
) -> None:
    config = frozen(folders, tmp_path, CHANGES[name])
    runner = train(config, with_hook(FixedSelection(OUT, keep_history=True)))
    arrays = instances_of(tmp_path)
    runner.model.train()
    expected = np.array([alone(runner, p) for p in arrays['identity']])
    losses = arrays['losses'][..., 0]
    seen = ~np.isnan(losses)
    assert len(set(expected.round(5))) == len(expected)
    everywhere = np.broadcast_to(expected, losses.shape)
    np.testing.assert_allclose(losses[seen], everywhere[seen], rtol=1e-4)
    # All were observed both ways, except those that the pipeline rejects.
    never = [2, 5] if refused in CHANGES[name] else []
    assert np.flatnonzero(~seen.any(axis=0)).tolist() == never
    left_out = ~arrays['trained'][1 if endless not in CHANGES[name] else 2 :]
    assert left_out.any()
    for row in left_out:
        assert set(np.flatnonzero(row)) <= {*OUT[1], *never}
