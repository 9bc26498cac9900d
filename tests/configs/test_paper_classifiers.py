"""The paper's classifiers: data, length, hook, network, pipelines."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import (
    DATASETS,
    FUNCTIONS,
    MODELS,
    TRANSFORMS,
    init_default_scope,
)
from PIL import Image
from torch import nn

from config_steps import skeleton
from paper_settings import PAPER, Data
from read_configs import PLAIN, read, twin_of


def test_the_table_has_every_config_of_the_paper_s_data() -> None:
    types = {row.data.type for row in PAPER.values()}
    configs = {
        name
        for name in PLAIN
        if read(name).train_dataloader.dataset.type in types
    }
    assert configs == {f'{name}.py' for name in PAPER}


@pytest.mark.parametrize('name', PAPER)
def test_a_classifier_s_data_and_length(name: str) -> None:
    data = PAPER[name].data
    config = read(f'{name}.py')
    train, val = config.train_dataloader, config.val_dataloader
    assert (train.dataset.type, train.dataset.split) == (data.type, 'train')
    assert val.dataset.split != 'train'
    assert config.test_dataloader == val
    assert train.batch_size == data.batch
    assert config.train_cfg.max_epochs == data.epochs
    assert config.train_cfg.val_interval == 1
    assert config.val_evaluator.type == 'Accuracy'
    assert config.default_hooks.checkpoint.save_best == 'accuracy/top1'


@pytest.mark.parametrize('name', PAPER)
def test_a_classifier_s_hook(name: str) -> None:
    data = PAPER[name].data
    hook = read(twin_of(f'{name}.py')).default_hooks.ies
    assert hook.delta == data.delta
    assert hook.get('anneal', 0.0) == data.anneal
    assert set(hook) <= {'type', 'delta', 'anneal'}  # the rest by default


@pytest.mark.parametrize('name', PAPER)
def test_a_classifier_s_network(name: str) -> None:
    row = PAPER[name]
    config = read(f'{name}.py')
    model = skeleton(config)
    for key, value in row.backbone.items():
        assert config.model.backbone[key] == value
    assert config.model.head.num_classes == row.data.classes
    assert config.data_preprocessor.num_classes == row.data.classes
    weights = sum(parameter.numel() for parameter in model.parameters())
    assert weights / 1e6 == pytest.approx(row.millions, abs=0.005)
    drops = [m.p for m in model.modules() if isinstance(m, nn.Dropout)]
    assert drops == ([0.5, 0.5] if row.dropout else [])


@pytest.mark.parametrize('name', PAPER)
def test_no_smoothing_no_mixing(name: str) -> None:
    config = read(f'{name}.py')
    loss = config.model.head.loss
    assert loss == dict(type='CrossEntropyLoss', loss_weight=1.0)
    assert not (config.model.get('train_cfg') or {}).get('augments')
    assert 'batch_augments' not in config.data_preprocessor


@pytest.mark.parametrize('name', PAPER)
def test_a_classifier_s_pipelines(name: str, tmp_path: Path) -> None:
    data = PAPER[name].data
    config = read(f'{name}.py')
    init_default_scope(config.default_scope)
    for loader in (config.train_dataloader, config.val_dataloader):
        samples = [packed(loader, data, tmp_path) for _ in range(2)]
        batch = FUNCTIONS.get(loader.collate_fn.type)(samples)
        assert batch['inputs'].shape == (2, 3, data.side, data.side)
        assert [int(s.gt_label) for s in batch['data_samples']] == [3, 3]


def packed(loader: Config, data: Data, folder: Path) -> dict:
    """A random image after the pipeline of a data loader's dataset."""
    size = (32, 32) if data.side == 32 else (300, 400)
    noise = np.random.default_rng(0).integers(256, size=(*size, 3))
    image = noise.astype(np.uint8)
    path = folder / 'image.png'
    Image.fromarray(image).save(path)
    dataset = DATASETS.build(loader.dataset, default_args={'lazy_init': True})
    return dataset.pipeline(dict(img=image, img_path=str(path), gt_label=3))


def test_the_crops_are_padded_by_four_and_flipped() -> None:
    for name, row in PAPER.items():
        transforms = read(f'{name}.py').train_dataloader.dataset.pipeline
        if row.data.side == 32:
            crop, flip = transforms[:2]
            assert crop == dict(type='RandomCrop', crop_size=32, padding=4)
        else:
            crop, flip = transforms[1:3]
            assert crop == dict(type='RandomResizedCrop', scale=224)
        assert flip == dict(
            type='RandomFlip', prob=0.5, direction='horizontal'
        )


def test_appendix_a_rotates_by_up_to_fifteen_degrees(tmp_path: Path) -> None:
    config = read('cifar/resnet18_cifar10_appendix_a.py')
    init_default_scope(config.default_scope)
    rotate = TRANSFORMS.build(config.train_dataloader.dataset.pipeline[2])
    line = np.zeros((201, 201, 3), np.uint8)
    line[100, 150:] = 255  # to the right of the middle
    angles = []
    for _ in range(200):
        rows, columns, _ = np.nonzero(rotate(dict(img=line.copy()))['img'])
        angle = np.arctan2(np.mean(rows - 100), np.mean(columns - 100))
        angles.append(np.degrees(angle))
    assert -15.5 < min(angles) < -13
    assert 13 < max(angles) < 15.5
    # Uniform from -15 to 15.
    assert np.std(angles) == pytest.approx(15 / 3**0.5, abs=1)


def test_appendix_a_scales_pixels_to_one() -> None:
    config = read('cifar/resnet18_cifar10_appendix_a.py')
    init_default_scope(config.default_scope)
    prepare = MODELS.build(
        dict(config.data_preprocessor, type='ClsDataPreprocessor')
    )
    image = torch.tensor([0, 51, 255], dtype=torch.uint8).expand(1, 3, 3, 3)
    found = prepare(dict(inputs=image))['inputs']
    assert found.unique().tolist() == pytest.approx([0, 0.2, 1])
