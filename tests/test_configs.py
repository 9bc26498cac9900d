"""Every config builds and takes a step; twins differ by hook and sampler."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from small import batch, build

CONFIGS = Path(__file__).parents[1] / 'configs'
NAMES = sorted(path.name for path in CONFIGS.glob('*.py'))


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CONFIGS.parent)


def read(name: str) -> Config:
    return Config.fromfile(CONFIGS / name)


def without_downloads(model: Any) -> Any:
    """The model's config without weights that lie elsewhere."""
    model = copy.deepcopy(model)
    model.backbone.init_cfg = None
    return model


@pytest.mark.parametrize('name', NAMES)
def test_the_model_takes_a_step(name: str) -> None:
    model = build(without_downloads(read(name).model)).train()
    data = model.data_preprocessor(batch([(96, 128), (128, 96)], [2, 1]), True)
    loss, _ = model.parse_losses(model(**data, mode='loss'))
    loss.backward()
    assert torch.isfinite(loss)
    assert any(
        parameter.grad is not None and parameter.grad.abs().sum() > 0
        for parameter in model.backbone.parameters()
    )


@pytest.mark.parametrize('name', [n for n in NAMES if n.startswith('ies_')])
def test_the_plain_twin_differs_by_hook_and_sampler_alone(name: str) -> None:
    ies = read(name).to_dict()
    plain = read(name.removeprefix('ies_')).to_dict()
    hook = ies['default_hooks'].pop('ies')
    assert hook['type'] == 'IESHook'
    assert ies['train_dataloader']['sampler'].pop('type') == 'IESSampler'
    assert plain['train_dataloader']['sampler'].pop('type') == 'DefaultSampler'
    # A list replaces its base's: none of the plain run's imports may be lost.
    imports = plain.pop('custom_imports', {}).get('imports', [])
    ours = ies.pop('custom_imports')
    assert ours['imports'] == [*imports, 'ies_mm.engine']
    assert ies == plain


@pytest.mark.parametrize('name', NAMES)
def test_ies_has_the_epochs_to_fire(name: str) -> None:
    config = read(name)
    assert config.train_cfg.max_epochs >= 12
    assert config.train_dataloader.dataset.type != 'RepeatDataset'
    for scheduler in config.param_scheduler:
        if scheduler.by_epoch:
            assert scheduler.end == config.train_cfg.max_epochs


def test_the_paper_s_setting() -> None:
    config = read('ies_faster_rcnn_voc.py')
    assert config.model.backbone.type == 'mmpretrain.VGG'
    assert config.model.backbone.depth == 16
    assert config.train_cfg.max_epochs == 30
    train, test = config.train_dataloader, config.test_dataloader
    assert train.dataset.ann_file == 'VOC2007/ImageSets/Main/trainval.txt'
    assert test.dataset.ann_file == 'VOC2007/ImageSets/Main/test.txt'


def test_the_runner_builds_the_demo(voc: Path, tmp_path: Path) -> None:
    config = read('ies_faster_rcnn_r18_demo.py')
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        config[loader].dataset.data_root = f'{voc}/'
    config.work_dir = str(tmp_path)
    runner = Runner.from_cfg(config)
    assert len(runner.build_dataloader(config.train_dataloader)) == 3
