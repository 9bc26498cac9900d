"""Weighted training: the objective is the weighted sum of the shares."""

import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ies_mm.losses import capture_per_image_losses, weight_per_image_losses
from loss_checks import gradient, patched, run
from seg_cases import CONFIGS, MARKS
from seg_cases import build as build_seg
from seg_cases import data_of as seg_data
from small import batch, build, faster_rcnn_config
from small_cls import build_classifier, cls_batch, cls_head_config

pytestmark = MARKS
WEIGHTS = torch.tensor([2.0, 1.0, 0.0, 0.5])


def detector() -> tuple[nn.Module, dict]:
    model = build(faster_rcnn_config()).eval()
    sizes = [(96, 128), (128, 96), (64, 80), (100, 101)]
    return model, model.data_preprocessor(batch(sizes, [1, 3, 2, 6]), True)


def segmentor() -> tuple[nn.Module, dict]:
    model = build_seg(CONFIGS['aux'])
    return model, seg_data(model)


def classifier() -> tuple[nn.Module, dict]:
    model = build_classifier(cls_head_config(dict(type='CrossEntropyLoss')))
    return model.eval(), model.data_preprocessor(cls_batch(4), True)


TASKS = pytest.mark.parametrize('task', [detector, segmentor, classifier])


def total(loss: Tensor | list[Tensor]) -> Tensor:
    return sum(loss) if isinstance(loss, list) else loss


def weighted(model: nn.Module, data: dict, weights: Tensor | None) -> dict:
    with weight_per_image_losses(model, weights):
        return run(model, data)


@TASKS
@pytest.mark.parametrize('weights', [None, torch.ones(4)])
def test_without_weights_it_is_the_plain_loss_to_the_bit(
    task: Callable, weights: Tensor | None
) -> None:
    model, data = task()
    plain, found = run(model, data), weighted(model, data, weights)
    assert list(found) == list(plain)
    for term in plain:
        assert torch.equal(total(found[term]), total(plain[term]))
    objective, logged = model.parse_losses(found)
    expected, _ = model.parse_losses(plain)
    assert torch.equal(objective, expected)
    assert torch.equal(logged['loss'], expected)


@TASKS
def test_each_term_is_the_weighted_sum_of_its_shares(task: Callable) -> None:
    model, data = task()
    with capture_per_image_losses(model, shares=True) as captured:
        run(model, data)
    found = weighted(model, data, WEIGHTS)
    for term, shares in captured.shares.items():
        expected = (WEIGHTS * shares).sum()
        torch.testing.assert_close(found[term], expected, rtol=1e-4, atol=1e-6)
        assert found[term].shape == ()


@TASKS
def test_the_losses_noted_are_without_weights(task: Callable) -> None:
    model, data = task()
    with capture_per_image_losses(model) as plain:
        run(model, data)
    with weight_per_image_losses(model, WEIGHTS) as captured:
        run(model, data)
    for term, losses in plain.losses.items():
        assert torch.equal(captured.losses[term], losses)


@TASKS
def test_the_gradient_is_linear_in_the_weights(task: Callable) -> None:
    """Single images' gradients add up to the plain run's gradient."""
    model, data = task()

    def of(weights: Tensor | None) -> Tensor:
        twin = copy.deepcopy(model)
        twin.parse_losses(weighted(twin, data, weights))[0].backward()
        return gradient(twin)

    singles = [of(row) for row in torch.eye(4)]
    assert all(single.norm() > 0 for single in singles)
    plain = of(None)
    mixed = sum(w * s for w, s in zip(WEIGHTS, singles, strict=True))
    for found, expected in ((sum(singles), plain), (of(WEIGHTS), mixed)):
        assert (found - expected).norm() <= 1e-4 * expected.norm()


@pytest.mark.parametrize(
    ('term', 'bias'),
    [
        ('loss_rpn_bbox', 'rpn_head.rpn_reg.bias'),
        ('loss_rpn_cls', 'rpn_head.rpn_cls.bias'),
        ('loss_bbox', 'roi_head.bbox_head.fc_reg.bias'),
        ('loss_cls', 'roi_head.bbox_head.fc_cls.bias'),
    ],
)
def test_box_losses_carry_their_weighted_gradient(
    term: str, bias: str
) -> None:
    """In the RPN and the RoI head, against finite differences of the loss."""
    model, data = detector()
    parameter = model.get_parameter(bias)
    if bias.endswith('reg.bias'):
        # Away from the targets, where L1 is smooth.
        nn.init.constant_(parameter, 2.0)
    loss = weighted(model, data, WEIGHTS)[term]
    (found,) = torch.autograd.grad(loss, parameter)
    assert found.norm() > 0

    def at(shift: Tensor) -> float:
        with torch.no_grad():
            parameter.add_(shift)
            value = float(weighted(model, data, WEIGHTS)[term])
            parameter.sub_(shift)
        return value

    size = 1e-2
    expected = [
        (at(size * row) - at(-size * row)) / (2 * size)
        for row in torch.eye(len(parameter))
    ]
    torch.testing.assert_close(
        found, torch.tensor(expected), rtol=0.02, atol=2e-4
    )


def test_a_classifier_against_torch() -> None:
    """The batch mean of weight times cross-entropy."""
    model, data = classifier()
    scores = model.head(model.extract_feat(data['inputs']))
    labels = torch.cat([s.gt_label for s in data['data_samples']])
    losses = F.cross_entropy(scores, labels, reduction='none')
    expected = (WEIGHTS * losses).mean()
    found = weighted(model, data, WEIGHTS)['loss']
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


def test_one_weight_an_image() -> None:
    model, data = classifier()
    with pytest.raises(ValueError, match='3 weights for 4 images in loss'):
        weighted(model, data, torch.ones(3))
    assert patched(model) == []


@TASKS
def test_nothing_stays_patched(task: Callable) -> None:
    model, data = task()
    weighted(model, data, WEIGHTS)
    assert patched(model) == []
