"""Whole trainings of the coverage tool, and faults that they see."""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest
import torch
from mmengine.runner import Runner

from ies_mm.engine import IESHook

TRAINED = {
    'mmdet': ['CenterNet', 'YOLOX'],
    'mmseg': ['FastSCNN', 'STDC'],
    'mmpretrain': ['LeNet', 'MobileNetV2', 'ShuffleNetV2'],
}


@pytest.fixture(scope='module')
def part(tool: Any) -> Callable[[str], ModuleType]:
    """Imports a module of the training checks by its name."""
    return lambda name: import_module(f'training_checks.{name}')


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize(
    ('library', 'name'),
    [(library, name) for library, names in TRAINED.items() for name in names],
)
def test_families_that_train(
    part: Any, family: Any, library: str, name: str
) -> None:
    row = part('check').check_training(family(library, name))
    assert (row.verdict, row.note) == ('trains', '')


@pytest.fixture
def found(part: Any, family: Any) -> Callable[[], tuple[str, str]]:
    def check() -> tuple[str, str]:
        row = part('check').check_training(family('mmpretrain', 'LeNet'))
        return row.verdict, row.note

    return check


def test_a_hook_that_changes_the_plain_run(
    monkeypatch: pytest.MonkeyPatch, found: Any
) -> None:
    before_train = IESHook.before_train

    def disturbed(self: Any, runner: Runner) -> None:
        before_train(self, runner)
        with torch.no_grad():
            next(runner.model.parameters()).add_(1e-6)

    monkeypatch.setattr(IESHook, 'before_train', disturbed)
    assert found() == ('wrong', 'with delta=0 it is not the plain run')


def test_an_image_that_is_not_trained(
    monkeypatch: pytest.MonkeyPatch, part: Any, found: Any
) -> None:
    numbers_in = part('made').numbers_in
    monkeypatch.setattr(
        part('trainings'), 'numbers_in', lambda data: numbers_in(data)[1:]
    )
    verdict, note = found()
    assert verdict == 'wrong'
    assert note.startswith('epoch 1 trained {')


def test_a_method_that_prunes_nothing(
    monkeypatch: pytest.MonkeyPatch, part: Any, found: Any
) -> None:
    monkeypatch.setattr(part('check'), '_hook', lambda: IESHook(delta=0))
    assert found() == ('wrong', 'no image was pruned')


def test_a_state_that_is_not_resumed(
    monkeypatch: pytest.MonkeyPatch, found: Any
) -> None:
    monkeypatch.setattr(
        IESHook, 'after_load_checkpoint', lambda *_, **__: None
    )
    verdict, note = found()
    assert (verdict, note) == (
        'wrong',
        'resumed, it differs from the run that was not stopped',
    )


def test_a_model_that_needs_objects_gets_only_images_with_some(
    part: Any, family: Any
) -> None:
    made, load = (
        part('made').MadeImages,
        import_module('coverage_checks.reduce').load,
    )
    empty = {}
    for name in ('PointRend', 'Mask R-CNN'):
        images = made(load(family('mmdet', name)), 'mmdet', ((64, 64),))
        assert len(images) == 12
        samples = [image['data_samples'] for image in images]
        empty[name] = sum(not len(sample.gt_instances) for sample in samples)
    assert empty['PointRend'] == 0 < empty['Mask R-CNN']


def test_a_sampler_begins_as_it_is_after_its_first_step(
    part: Any, family: Any
) -> None:
    model = (
        import_module('coverage_checks.reduce')
        .load(family('mmdet', 'Libra R-CNN'))
        .model
    )
    part('trainings')._settle(model)
    sampler = model.train_cfg.rcnn.sampler.neg_sampler
    assert (sampler.type, sampler.floor_thr) == ('IoUBalancedNegSampler', 0)
