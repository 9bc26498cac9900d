"""Losses of classifiers equal those of each image run alone."""

import pytest
import torch
import torch.nn.functional as F
from mmpretrain.models import ClsHead, LeNet5
from mmpretrain.structures import DataSample

from cls_cases import CASES, WEIGHTS, model_and_data
from ies_mm.losses import capture_per_image_losses
from loss_checks import check_against_each_image_alone, close, run


@pytest.mark.parametrize('name', CASES)
def test_losses_are_those_of_each_image_alone(name: str) -> None:
    model, data = model_and_data(name)
    model.eval()  # BatchNorm frozen, so that images do not mix
    captured = check_against_each_image_alone(model, model, data)
    assert list(captured.losses) == ['loss']
    assert captured.missing == {}


def test_class_weights_are_no_divisors() -> None:
    """Unlike torch, mmpretrain divides by the number of images."""
    model, data = model_and_data('ce_class_weight')
    model.eval()
    with capture_per_image_losses(model) as captured:
        run(model, data)
    logits = model(**data, mode='tensor')
    labels = torch.cat([s.gt_label for s in data['data_samples']])
    own = F.cross_entropy(logits, labels, reduction='none').detach()
    close(captured.losses['loss'], own * torch.tensor(WEIGHTS)[labels])


def test_the_scores_of_a_single_image_may_be_squeezed() -> None:
    model, _ = model_and_data('ce')
    model.backbone, model.neck = LeNet5(num_classes=5), None
    model.head = ClsHead(loss=dict(type='CrossEntropyLoss'))
    sample = DataSample().set_gt_label(3)
    data = dict(inputs=torch.randn(1, 1, 32, 32), data_samples=[sample])
    with capture_per_image_losses(model, shares=True) as captured:
        losses = run(model, data)
    close(captured.losses['loss'], losses['loss'][None].detach())
    close(captured.shares['loss'], losses['loss'][None])


def test_a_part_called_module_is_no_wrapped_model() -> None:
    model, data = model_and_data('ce')
    model.eval()
    with capture_per_image_losses(model) as expected:
        run(model, data)
    model.module = torch.nn.Linear(1, 1)
    for wrapped in (model, torch.nn.DataParallel(model)):
        with capture_per_image_losses(wrapped) as found:
            run(model, data)
        assert torch.equal(found.losses['loss'], expected.losses['loss'])
