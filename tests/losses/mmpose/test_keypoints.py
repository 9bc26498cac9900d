"""mmpose's top-down models against each image run alone.

Run where mmpose is installed: ``pip install mmpose``.
"""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

pytest.importorskip('mmpose', reason='needs mmpose')

import mmpose.datasets
import mmpose.models
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpose.registry import MODELS
from torch import nn

from ies_mm.losses import capture_per_image_losses
from loss_checks import alone, check_untouched, close, run
from runs import epochs_of, instances_of, train

CONFIGS = Path(mmpose.__file__).parent / '.mim' / 'configs'
BODIES = CONFIGS / 'body_2d_keypoint'
NAMES = {
    'hrnet': 'topdown_heatmap/coco/td-hm_hrnet-w32_8xb64-210e_coco-256x192.py',
    'simple_baseline': 'topdown_heatmap/coco/'
    'td-hm_res50_8xb64-210e_coco-256x192.py',
    'rtmpose': 'rtmpose/coco/rtmpose-t_8xb256-420e_aic-coco-256x192.py',
}
SIZE = (96, 64)
PEOPLE = 6


def codec_of(name: str) -> dict:
    if name == 'rtmpose':
        return dict(
            type='SimCCLabel',
            input_size=SIZE,
            sigma=(2.0, 2.0),
            simcc_split_ratio=2.0,
            normalize=False,
        )
    size = tuple(side // 4 for side in SIZE)
    return dict(
        type='MSRAHeatmap', input_size=SIZE, heatmap_size=size, sigma=1
    )


def model_config(name: str) -> Any:
    """A stock config for small images, without weights to download."""
    config = Config.fromfile(BODIES / NAMES[name]).model
    config.backbone.init_cfg = None
    config.head.decoder = codec_of(name)
    if name == 'rtmpose':
        config.backbone.norm_cfg = dict(type='BN')
        config.head.input_size = SIZE
        config.head.in_featuremap_size = tuple(s // 32 for s in SIZE)
    if name == 'simple_baseline':
        config.backbone |= dict(depth=18)
        config.head.in_channels = 512
    return config


def config_of(name: str, coco: Path, work_dir: Path) -> Config:
    return Config(
        dict(
            default_scope='mmpose',
            work_dir=str(work_dir),
            model=model_config(name),
            train_dataloader=dict(
                batch_size=3,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=True),
                dataset=dict(
                    type='CocoDataset',
                    data_root=str(coco),
                    data_mode='topdown',
                    ann_file='people.json',
                    data_prefix=dict(img='images/'),
                    pipeline=[
                        dict(type='LoadImage'),
                        dict(type='GetBBoxCenterScale'),
                        dict(type='RandomFlip', direction='horizontal'),
                        dict(type='TopdownAffine', input_size=SIZE),
                        dict(type='GenerateTarget', encoder=codec_of(name)),
                        dict(type='PackPoseInputs'),
                    ],
                ),
            ),
            train_cfg=dict(by_epoch=True, max_epochs=3),
            optim_wrapper=dict(optimizer=dict(type='Adam', lr=1e-4)),
            randomness=dict(seed=0),
            log_level='WARNING',
        )
    )


@pytest.fixture(scope='module')
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise images with two people each, some with hidden joints."""
    root = tmp_path_factory.mktemp('coco')
    (root / 'images').mkdir()
    random = np.random.default_rng(0)
    images, people = [], []
    for number in range(PEOPLE // 2):
        image = random.integers(0, 256, (96, 128, 3), dtype=np.uint8)
        cv2.imwrite(str(root / 'images' / f'{number}.png'), image)
        images.append(
            dict(id=number, file_name=f'{number}.png', height=96, width=128)
        )
        for left in (4, 64):
            joints = random.integers(0, 55, (17, 3))
            joints += np.array([left, 20, 0])
            joints[:, 2] = random.integers(0, 2, 17) * 2
            joints[0, 2] = 2
            people.append(
                dict(
                    id=len(people),
                    image_id=number,
                    category_id=1,
                    iscrowd=0,
                    bbox=[left, 10, 56, 80],
                    area=56 * 80,
                    num_keypoints=int((joints[:, 2] > 0).sum()),
                    keypoints=joints.flatten().tolist(),
                )
            )
    (root / 'people.json').write_text(
        json.dumps(
            dict(
                images=images,
                annotations=people,
                categories=[dict(id=1, name='person')],
            )
        )
    )
    return root


@pytest.fixture(params=NAMES)
def model_and_batch(
    request: pytest.FixtureRequest, coco: Path, tmp_path: Path
) -> tuple[nn.Module, dict]:
    """Fixed statistics, so that images do not mix; four people."""
    init_default_scope('mmpose')
    config = config_of(request.param, coco, tmp_path)
    torch.manual_seed(0)
    model = MODELS.build(config.model).eval()
    np.random.seed(0)
    loader = dict(config.train_dataloader, batch_size=4)
    batch = next(iter(Runner.build_dataloader(loader, seed=0)))
    return model, model.data_preprocessor(batch, True)


def test_losses_are_those_of_each_image_alone(model_and_batch: Any) -> None:
    model, data = model_and_batch
    with capture_per_image_losses(model, shares=True) as captured:
        batch = run(model, data)
    assert captured.losses.keys() == {'loss_kpt'}
    close(captured.shares['loss_kpt'].sum(), batch['loss_kpt'])
    for image, loss in enumerate(captured.losses['loss_kpt']):
        expected = run(model, alone(data, image))
        close(loss, expected['loss_kpt'].detach())


def test_forward_loss_and_random_state_are_untouched(
    model_and_batch: Any,
) -> None:
    model, data = model_and_batch
    check_untouched(model.train(), data, shares=True)


@pytest.mark.parametrize('name', ['simple_baseline', 'rtmpose'])
def test_it_is_trained_with_ies_to_the_end(
    name: str, coco: Path, tmp_path: Path
) -> None:
    config = config_of(name, coco, tmp_path)
    config.train_dataloader.sampler.type = 'IESSampler'
    config.default_hooks = dict(
        ies=dict(type='IESHook', saved=0.3, order=0, window=1)
    )
    train(config)
    records = epochs_of(tmp_path)
    assert len(records) == 3
    assert records[0]['instances'] == PEOPLE
    assert records[-1]['excluded'] > 0
    assert np.isfinite(records[-1]['loss']['loss_kpt'])
    assert len(instances_of(tmp_path)['identity']) == PEOPLE
