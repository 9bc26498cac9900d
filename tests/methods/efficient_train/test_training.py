"""A real training that starts on small images."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.datasets.transforms.auto_augment import BaseAugTransform
from mmpretrain.registry import TRANSFORMS

from ies_mm.errors import ConfigError
from ies_mm.report.reading.runs import read_run
from method_cases import config_of
from runs import epochs_of, parameters, plain_config, train, with_hook
from same_runs import (
    EPOCHS,
    assert_same_run,
    by_epochs,
    by_iterations,
    resumed,
)
from task_runs import classifier_config, in_iterations

STAGES = [dict(part=0.4, size=8), dict(part=0.4, size=0.75),
          dict(part=0.2, size=1.0)]  # fmt: skip


def with_stages(config: Config, stages: list | None = None) -> Config:
    config.default_hooks.ies = dict(
        type='EfficientTrainHook', stages=stages or STAGES, keep_history=True
    )
    return config


class Seen(Hook):
    """Records the sizes of a network's input images."""

    def __init__(self) -> None:
        self.trained: list[tuple] = []
        self.validated: set[tuple] = set()

    def before_run(self, runner: Runner) -> None:
        def note(module: Any, args: Any) -> None:
            size = tuple(args[0].shape[-2:])
            if module.training:
                self.trained.append(size)
            else:
                self.validated.add(size)

        runner.model.backbone.register_forward_pre_hook(note)


def test_sizes_grow_and_the_validation_sees_whole_images(
    folders: Path, tmp_path: Path
) -> None:
    config = with_stages(by_epochs(folders, tmp_path))
    config.train_dataloader.sampler.type = 'DefaultSampler'
    config.val_dataloader = config.train_dataloader.copy()
    config.val_dataloader.sampler = dict(type='DefaultSampler', shuffle=False)
    config.val_evaluator = dict(type='Accuracy')
    config.val_cfg = dict(type='ValLoop')
    seen = Seen()
    train(config, with_hook(seen))
    # 20 images of 16 pixels in batches of 4; five epochs.
    sides = [8] * 10 + [12] * 10 + [16] * 5
    assert seen.trained == [(side, side) for side in sides]
    assert seen.validated == {(16, 16)}
    records = epochs_of(tmp_path)
    shares = [0.25, 0.25, 0.5625, 0.5625, 1.0]
    assert [record['pixels'] for record in records] == shares
    assert {record['trained'] for record in records} == {20}
    assert {record['saved'] for record in records} == {0.0}
    run = read_run(tmp_path)
    assert run.method == 'EfficientTrain'
    assert run.compute == pytest.approx(sum(shares) / 5)


@pytest.mark.parametrize('sampler', ['DefaultSampler', 'IESSampler'])
def test_at_full_size_it_is_the_plain_training(
    folders: Path, tmp_path: Path, sampler: str
) -> None:
    plain = classifier_config(folders, tmp_path / 'plain')
    ours = config_of(folders, tmp_path / 'ours', epochs=2)
    ours.train_dataloader.sampler.type = sampler
    ours = with_stages(ours, [dict(part=1.0, size=16)])
    found, expected = parameters(train(ours)), parameters(train(plain))
    for name, value in expected.items():
        assert torch.equal(found[name], value), name


@pytest.mark.parametrize(
    ('loop', 'checkpoint', 'last'),
    [
        (by_epochs, 'epoch_3.pth', f'epoch_{EPOCHS}.pth'),
        (by_iterations, 'iter_12.pth', 'iter_22.pth'),
    ],
)
def test_resumed_it_ends_the_same(
    folders: Path, tmp_path: Path, loop: Any, checkpoint: str, last: str
) -> None:
    whole, again = tmp_path / 'whole', tmp_path / 'again'
    train(with_stages(loop(folders, whole)))
    config = with_stages(loop(folders, again))
    train(resumed(config, whole, checkpoint))
    assert_same_run(again, whole, last)


@TRANSFORMS.register_module()
class ShowMagnitude(BaseAugTransform):
    """Fills an image with the augmentation's strength."""

    def transform(self, results: dict) -> dict:
        results['img'] = results['img'] * 0 + self.magnitude_level
        return results


def augmented(config: Config, workers: int) -> Config:
    config.train_dataloader.dataset.pipeline.insert(
        1,
        dict(
            type='RandAugment',
            policies=[dict(type='ShowMagnitude', magnitude_range=(0, 10))],
            num_policies=1,
            magnitude_level=6,
        ),
    )
    config.train_dataloader.num_workers = workers
    config.train_dataloader.persistent_workers = workers > 0
    return config


class Strengths(Hook):
    """Records the strength of the augmentation in each batch."""

    def __init__(self) -> None:
        self.found: list[int] = []

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        self.found.append(int(torch.stack(data_batch['inputs']).max()))


STRONGER = [dict(part=0.4, size=8, magnitude=1), dict(part=0.2, size=8),
            dict(part=0.4, size=1.0, magnitude=9)]  # fmt: skip


@pytest.mark.parametrize('workers', [0, 1])
def test_the_augmentation_grows_stronger_in_workers_too(
    folders: Path, tmp_path: Path, workers: int
) -> None:
    config = augmented(by_epochs(folders, tmp_path), workers)
    seen = Strengths()
    runner = train(with_stages(config, STRONGER), with_hook(seen))
    assert seen.found == [1] * 15 + [9] * 10
    [transform] = [
        part
        for part in runner.train_dataloader.dataset.pipeline.transforms
        if type(part).__name__ == 'RandAugment'
    ]
    assert transform.magnitude_level == 6
    assert transform.transforms[0].magnitude_level == 6


def test_what_it_cannot_train_is_refused(
    folders: Path, voc: Path, tmp_path: Path
) -> None:
    detector = plain_config(voc, tmp_path / 'detector')
    detector.train_dataloader.sampler.type = 'IESSampler'
    endless = augmented(by_iterations(folders, tmp_path / 'endless'), 1)
    small = with_stages(by_epochs(folders, tmp_path / 'small'))
    for config, stages, reason in (
        (detector, STAGES, 'for the classifiers of mmpretrain'),
        (endless, STRONGER, 'workers never restart'),
        (small, [dict(part=1.0, size=20)], 'size=20, .* 16x16 pixels'),
    ):
        with pytest.raises(ConfigError, match=reason):
            train(with_stages(config, stages))


def test_a_curriculum_of_one_strength_is_taken_in_an_endless_stream(
    folders: Path, tmp_path: Path
) -> None:
    config = in_iterations(classifier_config(folders, tmp_path), 10)
    config.train_dataloader.sampler.type = 'IESSampler'
    seen = Strengths()
    train(with_stages(augmented(config, 0), STRONGER), with_hook(seen))
    # Two passes of five batches; the first pass is the first stage.
    assert seen.found[:5] == [1] * 5
    assert seen.found[-4:] == [9] * 4
