"""mmrotate's detectors against each image run alone.

Run where mmrotate is installed: ``pip install onedl-mmrotate``.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

pytest.importorskip('mmrotate', reason='needs onedl-mmrotate')

import mmrotate.datasets
import mmrotate.models
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from mmrotate.structures import RotatedBoxes
from torch import Tensor, nn

from ies_mm.losses import CapturedLosses, capture_per_image_losses
from loss_checks import alone, check_untouched, close, run
from runs import epochs_of, train

CONFIGS = Path(mmrotate.__file__).parent / '.mim' / 'configs'
SIZE = 64
BOXES = [1, 3, 5]
PIPELINE = [
    dict(type='mmdet.LoadImageFromFile'),
    dict(type='mmdet.LoadAnnotations', with_bbox=True, box_type='qbox'),
    dict(type='ConvertBoxType', box_type_mapping=dict(gt_bboxes='rbox')),
    dict(type='mmdet.Resize', scale=(SIZE, SIZE), keep_ratio=True),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmdet.PackDetInputs'),
]


class BoxDistance(nn.Module):
    """Stand-in for RotatedIoULoss, which has no CPU kernel."""

    def forward(
        self, pred: Tensor, target: Tensor, weight: Tensor, avg_factor: Any
    ) -> Tensor:
        distance = (pred - target).abs().sum(dim=1)
        return (distance * weight).sum() / avg_factor


def oriented_rcnn(model: Any) -> None:
    """Few proposals, all of them sampled."""
    train = model.train_cfg
    train.rpn_proposal.nms_pre = train.rpn_proposal.max_per_img = 50
    stages = train.rcnn if isinstance(train.rcnn, list) else [train.rcnn]
    for part in (train.rpn, *stages):
        part.sampler.num, part.sampler.pos_fraction = 10**6, 1.0


def by_distance(model: Any) -> None:
    model.bbox_head.loss_bbox = dict(type=BoxDistance)


def as_it_is(model: Any) -> None:
    """Nothing is random."""


CASES = {
    'oriented_rcnn/oriented-rcnn-le90_r50_fpn_1x_dota.py': oriented_rcnn,
    'roi_trans/roi-trans-le90_r50_fpn_1x_dota.py': oriented_rcnn,
    'rotated_faster_rcnn/rotated-faster-rcnn-le90_r50_fpn_1x_dota.py': (
        oriented_rcnn
    ),
    'rotated_retinanet/rotated-retinanet-rbox-le90_r50_fpn_1x_dota.py': (
        as_it_is
    ),
    'rotated_atss/rotated-atss-le90_r50_fpn_1x_dota.py': by_distance,
    'rotated_fcos/rotated-fcos-le90_r50_fpn_1x_dota.py': by_distance,
    'rotated_rtmdet/rotated_rtmdet_tiny-3x-dota.py': by_distance,
}


def model_config(name: str) -> Any:
    config = Config.fromfile(CONFIGS / name).model
    config.backbone.init_cfg = None
    if config.backbone.type == 'mmdet.ResNet':
        config.backbone |= dict(depth=18, base_channels=8)
        config.neck.in_channels = [8, 16, 32, 64]
    CASES[name](config)
    return config


@pytest.fixture(params=CASES, ids=lambda name: name.partition('/')[0])
def model(request: pytest.FixtureRequest) -> nn.Module:
    """A narrow stock model; fixed statistics, so images do not mix."""
    init_default_scope('mmrotate')
    torch.manual_seed(0)
    return MODELS.build(model_config(request.param)).eval()


def batch_of(model: nn.Module, boxes: list[int]) -> dict:
    torch.manual_seed(1)
    samples = []
    for number in boxes:
        sample = DetDataSample(
            metainfo=dict(
                img_shape=(SIZE, SIZE),
                ori_shape=(SIZE, SIZE),
                pad_shape=(SIZE, SIZE),
                batch_input_shape=(SIZE, SIZE),
                scale_factor=(1.0, 1.0),
            )
        )
        centers, sides = torch.rand(number, 2), torch.rand(number, 2)
        angles = torch.rand(number, 1) - 0.5
        corners = [centers * SIZE, sides * 24 + 12, angles]
        sample.gt_instances = InstanceData(
            bboxes=RotatedBoxes(torch.cat(corners, dim=1)),
            labels=torch.randint(0, 15, (number,)),
        )
        sample.ignored_instances = InstanceData(
            bboxes=RotatedBoxes(torch.zeros(0, 5)),
            labels=torch.zeros(0, dtype=torch.long),
        )
        samples.append(sample)
    return dict(
        inputs=torch.randn(len(boxes), 3, SIZE, SIZE), data_samples=samples
    )


def total(loss: Any) -> Tensor:
    """The sum of a term: one value, or one per level."""
    return sum(loss) if isinstance(loss, list) else loss


def captured(model: nn.Module, data: dict) -> CapturedLosses:
    """Capture the losses, and check that their shares sum to the batch's."""
    with capture_per_image_losses(model, shares=True) as found:
        batch = run(model, data)
    for term, shares in found.shares.items():
        assert total(batch[term]) > 0 or term == 'loss_bbox'
        close(shares.sum(), total(batch[term]))
    return found


def test_losses_are_those_of_each_image_alone(model: nn.Module) -> None:
    data = batch_of(model, BOXES)
    found = captured(model, data)
    assert found.losses.keys() >= {'loss_cls', 'loss_bbox'} or any(
        term.startswith('s1.') for term in found.losses
    )
    for image in range(len(BOXES)):
        expected = run(model, alone(data, image))
        for term, values in found.losses.items():
            close(values[image], total(expected[term]).detach())


def test_an_image_without_objects(model: nn.Module) -> None:
    found = captured(model, batch_of(model, [0, 3]))
    for values in found.losses.values():
        assert values.isfinite().all()


def test_forward_loss_and_random_state_are_untouched(
    model: nn.Module,
) -> None:
    check_untouched(model.train(), batch_of(model, BOXES), shares=True)


def make_dota(root: Path, images: int = 8) -> Path:
    """Noise images with one box each, in DOTA's layout."""
    for folder in ('images', 'labels'):
        (root / folder).mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(images):
        image = random.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
        cv2.imwrite(str(root / 'images' / f'P{number:04}.png'), image)
        box = '10 20 40 12 46 36 16 44 plane 0\n'
        (root / 'labels' / f'P{number:04}.txt').write_text(box)
    return root


def test_oriented_rcnn_is_trained_with_ies_to_the_end(tmp_path: Path) -> None:
    """A stock model and dataset, with the two lines of the README."""
    [name] = [name for name in CASES if name.startswith('oriented_rcnn')]
    train(
        Config(
            dict(
                default_scope='mmrotate',
                work_dir=str(tmp_path / 'run'),
                model=model_config(name),
                train_dataloader=dict(
                    batch_size=2,
                    num_workers=0,
                    sampler=dict(type='IESSampler', shuffle=True),
                    dataset=dict(
                        type='DOTADataset',
                        data_root=str(make_dota(tmp_path / 'dota')),
                        ann_file='labels/',
                        data_prefix=dict(img_path='images/'),
                        pipeline=PIPELINE,
                    ),
                ),
                train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=3),
                optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.001)),
                default_hooks=dict(
                    ies=dict(type='IESHook', saved=0.3, order=0, window=1)
                ),
                randomness=dict(seed=0),
                log_level='WARNING',
            )
        )
    )
    records = epochs_of(tmp_path / 'run')
    assert len(records) == 3
    assert records[-1]['excluded'] > 0
    assert records[-1]['loss'].keys() == {
        'loss_rpn_cls', 'loss_rpn_bbox', 'loss_cls', 'loss_bbox',
    }  # fmt: skip
