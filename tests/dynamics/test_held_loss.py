"""A real model's loss as a function of only its weights."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmcv.ops import RoIAlign
from mmengine.runner import Runner
from torch import nn

from ies_mm.dynamics.data_copy import own_copy
from ies_mm.dynamics.held_loss import HeldLoss
from ies_mm.dynamics.landscape import Vector, norm
from ies_mm.dynamics.second_derivatives import (
    can_be_exact,
    twice_differentiable,
)
from ies_mm.errors import ConfigError
from ies_mm.losses.capture.patching import override
from ies_mm.training.data.identity import InstanceMap
from mixing_runs import rtmdet, yolox
from runs import build_dataset, dataset_config, plain_config
from task_runs import classifier_config

IMAGES = 5
"""A batch of four, and a single image."""


def built(config: Any) -> Runner:
    """A runner before training, with everything a training builds."""
    runner = Runner.from_cfg(config)
    runner.train_loop  # noqa: B018
    runner._init_model_weights()
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.model.train()
    return runner


@pytest.fixture(scope='module')
def detector(voc: Path, tmp_path_factory: pytest.TempPathFactory) -> HeldLoss:
    config = plain_config(voc, tmp_path_factory.mktemp('detector'))
    config.experiment_name = 'held_detector'
    return HeldLoss(built(config), IMAGES, seed=0)


@pytest.fixture
def classifier(folders: Path, tmp_path: Path) -> HeldLoss:
    config = classifier_config(folders, tmp_path)
    config.experiment_name = f'held_{tmp_path.name}'
    return HeldLoss(built(config), IMAGES, seed=0)


def directions(held: HeldLoss, number: int) -> list[Vector]:
    torch.manual_seed(0)
    found = []
    for _ in range(number):
        vector = [torch.randn_like(p) for p in held.parameters]
        found.append([part / float(norm(vector)) for part in vector])
    return found


def dot(one: Vector, other: Vector) -> float:
    pairs = zip(one, other, strict=True)
    return sum(float((a * b).sum()) for a, b in pairs)


def test_a_detector_has_the_same_loss_in_every_evaluation(
    detector: HeldLoss,
) -> None:
    """Although training samples anchors, RoIs and flips at random."""
    with detector.holding():
        assert detector.loss() == detector.loss() > 0
        first, second = detector.gradient(), detector.gradient()
    assert all(map(torch.equal, first, second))
    assert float(norm(first)) > 0


def test_a_detector_s_hessian_is_symmetric_and_exact(
    detector: HeldLoss,
) -> None:
    """Anything not differentiated twice would be missing on one side."""
    one, other = directions(detector, 2)
    with detector.holding():
        there = dot(one, detector.hessian_product(other))
        back = dot(other, detector.hessian_product(one))
    assert there == pytest.approx(back, rel=1e-3)
    assert detector.exact


def test_the_roi_head_sees_the_backbone_through_roi_align(
    detector: HeldLoss,
) -> None:
    names = [
        name
        for name, parameter in detector._model.named_parameters()
        if parameter.requires_grad
    ]
    vector = [
        torch.ones_like(p) * name.startswith('backbone')
        for name, p in zip(names, detector.parameters, strict=True)
    ]
    with detector.holding():
        image = detector.hessian_product(vector)
    head = [
        part
        for name, part in zip(names, image, strict=True)
        if name.startswith('roi_head')
    ]
    assert float(norm(head)) > 0


def test_roi_align_s_derivatives_are_those_of_its_values() -> None:
    """Checked with torch.autograd.gradcheck in double precision."""
    layer = RoIAlign(output_size=2, spatial_scale=0.5)
    torch.manual_seed(0)
    features = torch.randn(2, 2, 5, 6, dtype=torch.double, requires_grad=True)
    rois = torch.tensor(
        [[0, 1.0, 1, 7, 8], [1, 0.5, 2, 9, 6]], dtype=torch.double
    )
    plain = layer(features, rois)
    model = nn.ModuleList([layer])
    with twice_differentiable(model):
        assert torch.equal(layer(features, rois), plain)

        def squared(features: torch.Tensor) -> torch.Tensor:
            return layer(features, rois) ** 2

        assert torch.autograd.gradcheck(squared, features)
        assert torch.autograd.gradgradcheck(squared, features)
    assert 'forward' not in vars(layer)


def test_a_classifier_s_loss_is_the_mean_of_its_images(
    classifier: HeldLoss,
) -> None:
    """Each image alone, BatchNorm in evaluation mode, flips as drawn."""
    model = classifier._model
    with classifier.holding():
        found, gradient = classifier.loss(), classifier.gradient()
        model.eval()
        losses = []
        for _, batch in classifier._batches:
            data = model.data_preprocessor(batch, training=True)
            for image, sample in zip(
                data['inputs'], data['data_samples'], strict=True
            ):
                logits = model(image[None], mode='tensor')
                label = sample.gt_label
                losses.append(
                    nn.functional.cross_entropy(logits, label, reduction='sum')
                )
        assert len(losses) == IMAGES
    assert found == pytest.approx(
        float(sum(losses).detach()) / IMAGES, rel=1e-5
    )
    assert len(gradient) == len(list(model.parameters()))


def everything(model: nn.Module) -> list[Any]:
    """Weights, buffers, gradients, modes and random numbers."""
    gradients = [p.grad for p in model.parameters()]
    return [
        *[tensor.clone() for tensor in model.state_dict().values()],
        *[None if g is None else (id(g), g.clone()) for g in gradients],
        [module.training for module in model.modules()],
        [sorted(vars(module)) for module in model.modules()],
        torch.get_rng_state(),
    ]


def assert_same(found: Any, expected: Any) -> None:
    if isinstance(expected, torch.Tensor):
        assert torch.equal(found, expected)
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    else:
        assert found == expected


def test_nothing_of_the_model_is_left_changed(classifier: HeldLoss) -> None:
    """Nor are the gradients of an accumulated step."""
    model = classifier._model
    for number, parameter in enumerate(model.parameters()):
        if number % 2:
            parameter.grad = torch.full_like(parameter, 0.1)
    before = everything(model)
    with classifier.holding():
        classifier.loss()
        classifier.gradient()
        for exact in (True, False):
            classifier.exact = exact
            classifier.hessian_product(directions(classifier, 1)[0])
    # ``directions`` seeds torch, as a training does not.
    assert_same(everything(model)[:-1], before[:-1])


class OnlyOnce(torch.autograd.Function):
    """The identity, differentiable only once, like a compiled operation."""

    @staticmethod
    def forward(ctx: Any, inputs: torch.Tensor) -> torch.Tensor:
        return inputs * 1

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return gradient


def once(original: Any, inputs: tuple) -> tuple:
    return tuple(OnlyOnce.apply(part) for part in original(inputs))


def test_without_second_derivatives_there_are_differences(
    classifier: HeldLoss,
) -> None:
    vector = directions(classifier, 1)[0]
    neck = classifier._model.neck
    with override(neck, 'forward', once), classifier.holding():
        found = classifier.hessian_product(vector)
    assert not classifier.exact
    with classifier.holding():
        expected = classifier.hessian_product(vector)
    assert all(map(torch.equal, found, expected))


def test_operations_that_hide_it_are_known() -> None:
    from mmcv.ops import CARAFEPack

    assert can_be_exact(nn.ModuleList([RoIAlign(2)]))
    assert not can_be_exact(nn.ModuleList([CARAFEPack(4, 2)]))


class Counting:
    """A transform with a memory."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def __call__(self, results: dict) -> dict:
        self.calls.append(results['sample_idx'])
        return results


def test_a_copied_data_set_shares_annotations_alone(voc: Path) -> None:
    dataset = build_dataset(dataset_config(voc))
    dataset.pipeline.transforms.insert(0, Counting())
    copied = own_copy(dataset)
    assert copied.data_bytes is dataset.data_bytes
    assert copied[3]['inputs'].shape == dataset[3]['inputs'].shape
    assert dataset.pipeline.transforms[0].calls == [3]


def test_a_data_set_that_cannot_be_copied_is_named(voc: Path) -> None:
    dataset = build_dataset(dataset_config(voc))
    dataset.pipeline.transforms.append(i for i in ())
    with pytest.raises(ConfigError, match='VOCDataset cannot be copied'):
        own_copy(dataset)


def made(make: Callable, voc: Path) -> Any:
    return build_dataset(make(voc, voc, 1).train_dataloader.dataset)


def loaded(dataset: Any) -> list[torch.Tensor]:
    """Images as loaded for the measurement."""
    copied = own_copy(dataset)
    np.random.seed(0)
    random.seed(0)
    return [copied[i]['inputs'] for i in range(6)]


@pytest.mark.parametrize('make', [rtmdet, yolox])
def test_a_copy_mixes_the_same_images_at_any_time(
    voc: Path, make: Callable
) -> None:
    """Whatever the training has cached or pruned by then."""
    expected = loaded(made(make, voc))
    dataset = made(make, voc)
    instances = InstanceMap(dataset)
    with instances.tagging():
        for index in range(8):
            dataset[index]  # fills the caches
        kept = torch.arange(len(instances)) % 4 == 0
        instances.keep(kept)
        found = loaded(dataset)
    assert all(map(torch.equal, found, expected))
