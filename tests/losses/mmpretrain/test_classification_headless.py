"""Losses of classifiers without a head: timm and Hugging Face models."""

import re
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmpretrain.models.classifiers import (
    BaseClassifier,
    HuggingFaceClassifier,
    TimmClassifier,
)
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from cls_cases import BCE, CE, SMOOTH, WEIGHTS
from ies_mm.errors import UnsupportedModelError
from ies_mm.losses import capture_per_image_losses, check_supported
from loss_checks import (
    check_against_each_image_alone,
    check_gradient_of_summed_shares,
    check_restored,
    check_untouched,
    patched,
)
from small_cls import CHANNELS, CLASSES, ConvBackbone, cls_batch


class Network(nn.Module):
    """A stand-in for a network of another library."""

    def __init__(self, named: bool) -> None:
        super().__init__()
        self.features = ConvBackbone()
        self.classes = nn.Linear(CHANNELS, CLASSES)
        self.named = named

    def forward(self, inputs: Tensor) -> Any:
        scores = self.classes(self.features(inputs)[0])
        return SimpleNamespace(logits=scores) if self.named else scores


def build(kind: type, loss: dict) -> nn.Module:
    """Build ``kind`` as it does itself if its library is installed."""
    torch.manual_seed(0)
    model = kind.__new__(kind)
    preprocessor = dict(
        type='mmpretrain.ClsDataPreprocessor',
        mean=[128.0] * 3,
        std=[64.0] * 3,
    )
    BaseClassifier.__init__(model, data_preprocessor=preprocessor)
    model.model = Network(kind is HuggingFaceClassifier)
    model.loss_module = MODELS.build(dict(loss))
    return model


# Without avg_factor, timm's losses average over images and classes.
CASES = {
    'timm': (TimmClassifier, CE | dict(class_weight=WEIGHTS), 'label'),
    'timm_bce': (TimmClassifier, BCE | dict(loss_weight=0.3), 'score'),
    'timm_smooth': (
        TimmClassifier,
        SMOOTH | dict(mode='multi_label', use_sigmoid=True),
        'score',
    ),
    'hugging_face': (HuggingFaceClassifier, CE, 'label'),
    'hugging_face_bce': (HuggingFaceClassifier, BCE, 'score'),
}


def model_and_data(name: str) -> tuple[nn.Module, dict]:
    kind, loss, target = CASES[name]
    model = build(kind, loss)
    return model, model.data_preprocessor(cls_batch(5, target), True)


@pytest.mark.parametrize('name', CASES)
def test_losses_are_those_of_each_image_alone(name: str) -> None:
    model, data = model_and_data(name)
    model.eval()
    captured = check_against_each_image_alone(model, model, data)
    assert list(captured.losses) == ['loss']


@pytest.mark.parametrize('name', CASES)
def test_gradient_of_the_summed_shares_is_the_plain_one(name: str) -> None:
    check_gradient_of_summed_shares(*model_and_data(name))


@pytest.mark.parametrize('shares', [False, True])
@pytest.mark.parametrize('name', CASES)
def test_forward_loss_and_random_state_are_untouched(
    name: str, shares: bool
) -> None:
    check_untouched(*model_and_data(name), shares)


def test_everything_is_restored_also_after_an_exception() -> None:
    model, data = model_and_data('timm')
    with capture_per_image_losses(model):
        assert patched(model) == ['loss']
    check_restored(model, model.loss_module, data)


class Other(TimmClassifier):
    def loss(self, *args: Any, **kwargs: Any) -> dict:
        return super().loss(*args, **kwargs)


def test_what_is_not_known_is_refused() -> None:
    match = 'no per-image losses for the model=Other; supported heads: '
    with pytest.raises(UnsupportedModelError, match=match):
        check_supported(build(Other, CE))
    match = re.escape("loss_module=CrossEntropyLoss with reduction='sum'")
    with pytest.raises(UnsupportedModelError, match='^' + match):
        check_supported(build(TimmClassifier, CE | dict(reduction='sum')))
