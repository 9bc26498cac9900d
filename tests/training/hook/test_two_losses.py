"""Optimiser wrappers and detectors that compute a loss more than once."""

from pathlib import Path
from typing import Any

import mmengine.hub
import pytest
import torch
from mmdet.models.detectors import KnowledgeDistillationSingleStageDetector
from mmengine.config import ConfigDict
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from mmengine.runner import Runner
from torch import Tensor

from ies_mm.engine import IESHook
from ies_mm.errors import ConfigError
from ies_mm.losses import capture_per_image_losses, check_supported
from runs import instances_of, train
from same_runs import by_epochs
from small import batch, build

TERMS = ['loss_cls', 'loss_bbox', 'loss_dfl', 'loss_ld']


@OPTIM_WRAPPERS.register_module()
class SharpnessAware(OptimWrapper):
    """Steps with the gradient at weights moved along the first gradient."""

    second: Any = None

    def update_params(self, loss: Tensor, **_: Any) -> None:
        loss.backward()
        weights = [p for p in self.parameters() if p.grad is not None]
        moves = [0.01 * p.grad.sign() for p in weights]
        with torch.no_grad():
            for weight, move in zip(weights, moves, strict=True):
                weight += move
        self.zero_grad()
        self.second().backward()
        with torch.no_grad():
            for weight, move in zip(weights, moves, strict=True):
                weight -= move
        self.step()
        self.zero_grad()

    def parameters(self) -> list[Tensor]:
        groups = self.optimizer.param_groups
        return [p for group in groups for p in group['params']]


class SecondLoss(Hook):
    """Provides the wrapper's second forward of the batch."""

    def __init__(self, by_the_head: bool) -> None:
        self.by_the_head = by_the_head

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        def second() -> Tensor:
            model = runner.model
            data = model.data_preprocessor(data_batch, training=True)
            if self.by_the_head:
                features = model.extract_feat(data['inputs'])
                losses = model.head.loss(features, data['data_samples'])
            else:
                losses = model(**data, mode='loss')
            return sum(losses.values())

        runner.optim_wrapper.second = second


def sharp(folders: Path, work_dir: Path, by_the_head: bool) -> Any:
    config = by_epochs(folders, work_dir)
    config.train_cfg.max_epochs = 2
    config.optim_wrapper.type = 'SharpnessAware'
    config.model.backbone.norm_eval = True

    def register(runner: Runner) -> None:
        runner.register_hook(IESHook(0, keep_history=True))
        runner.register_hook(SecondLoss(by_the_head))

    return config, register


def test_a_second_loss_of_the_model_is_refused(
    folders: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match='loss is computed more than once'):
        train(*sharp(folders, tmp_path, by_the_head=False))


def test_a_second_loss_of_the_head_is_not_observed(
    folders: Path, tmp_path: Path
) -> None:
    """Weights are fixed: both epochs have the loss of the initial ones."""
    config, register = sharp(folders, tmp_path, by_the_head=True)
    config.optim_wrapper.optimizer.lr = 0.0
    config.param_scheduler = None
    train(config, register)
    plain = by_epochs(folders, tmp_path / 'plain')
    plain.train_cfg.max_epochs = 2
    plain.model.backbone.norm_eval = True
    plain.optim_wrapper.optimizer.lr = 0.0
    plain.param_scheduler = None
    train(plain, lambda r: r.register_hook(IESHook(0, keep_history=True)))
    found, expected = (
        torch.from_numpy(instances_of(folder)['losses'])
        for folder in (tmp_path, tmp_path / 'plain')
    )
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def distilled() -> KnowledgeDistillationSingleStageDetector:
    """A small LD with a GFL teacher, without pretrained weights."""
    ld = 'ld/ld_r18-gflv1-r101_fpn_1x_coco.py'
    gfl = 'gfl/gfl_r50_fpn_1x_coco.py'
    student, teacher = (
        mmengine.hub.get_config(f'mmdet::{name}').model for name in (ld, gfl)
    )
    for model in (student, teacher):
        model.backbone.update(
            depth=18, base_channels=8, stem_channels=8, init_cfg=None
        )
        model.neck.update(in_channels=[8, 16, 32, 64], out_channels=64)
        model.bbox_head.update(
            in_channels=64, feat_channels=64, stacked_convs=1, num_classes=4
        )
    student.teacher_ckpt = None
    student.teacher_config = ConfigDict(model=teacher)
    model = build(student)
    model.train()  # which returns nothing
    return model


def test_a_distilled_detector_has_its_student_s_losses() -> None:
    """Refused by name, or with the fallback equal to each image alone."""
    model = distilled()
    with pytest.raises(ConfigError, match='per-image losses for bbox_head=LD'):
        check_supported(model)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    sizes = [(64, 64), (64, 64), (64, 64)]
    data = model.data_preprocessor(batch(sizes, [1, 2, 3]), training=True)
    with capture_per_image_losses(model, fallback=True) as captured:
        model(**data, mode='loss')
    assert sorted(captured.losses) == sorted(TERMS)
    for image in range(3):
        one = {key: value[image : image + 1] for key, value in data.items()}
        alone = model(**one, mode='loss')
        for term in TERMS:
            torch.testing.assert_close(
                captured.losses[term][image],
                sum(alone[term]).detach(),
                rtol=1e-4,
                atol=1e-6,
            )
