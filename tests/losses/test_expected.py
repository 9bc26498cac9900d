"""Losses expected of a random sampler, against very many of its draws."""

import copy

import pytest
import torch
from torch import Tensor, nn

from ies_mm.losses import capture_per_image_losses
from small import batch, build, faster_rcnn_config

SIZES = [(96, 128), (64, 80)]
BOXES = [12, 2]
TERM = 'loss_rpn_cls'


def model_of(**sampler: object) -> nn.Module:
    """In evaluation mode, so that images do not mix."""
    config = faster_rcnn_config()
    config.train_cfg.rpn.sampler.update(sampler)
    config.train_cfg.rpn.assigner.pos_iou_thr = 0.3  # many positives
    model = build(config).eval()
    # Scores that differ, and positives that lose more than negatives.
    model.rpn_head.rpn_cls.weight.data *= 100
    model.rpn_head.rpn_cls.bias.data -= 1.0
    return model


def draws(model: nn.Module, data: dict) -> Tensor:
    """Losses of many draws, (K, N)."""
    seeds = range(100)
    return torch.stack([losses(model, data, False, seed) for seed in seeds])


def assert_mean(expected: Tensor, drawn: Tensor) -> None:
    """Within four standard errors."""
    error = drawn.std(dim=0) / len(drawn) ** 0.5
    assert ((drawn.mean(dim=0) - expected).abs() < 4 * error + 1e-6).all()


def total(loss: Tensor | list[Tensor]) -> Tensor:
    """A term as the model returns it, one value or one a level."""
    return sum(loss) if isinstance(loss, list) else loss


def losses(model: nn.Module, data: dict, expected: bool, seed: int) -> Tensor:
    torch.manual_seed(seed)
    with (
        torch.no_grad(),
        capture_per_image_losses(model, expected=expected) as captured,
    ):
        model(**copy.deepcopy(data), mode='loss')
    return captured.losses[TERM]


@pytest.mark.parametrize(
    'sampler',
    [
        dict(num=32),  # fills up with negatives
        dict(num=8),  # more positives than it may draw
        dict(num=64, neg_pos_ub=2),  # few negatives
        dict(num=10**6),  # draws everything
    ],
)
def test_it_is_the_mean_of_the_draws(sampler: dict) -> None:
    model = model_of(**sampler)
    data = model.data_preprocessor(batch(SIZES, BOXES), True)
    drawn = draws(model, data)
    assert_mean(losses(model, data, True, seed=0), drawn)
    assert (drawn.std(dim=0) > 0.01).any() == (sampler['num'] < 10**6)


def test_it_does_not_depend_on_the_draw_or_the_batch() -> None:
    model = model_of(num=32)
    data = model.data_preprocessor(batch(SIZES, BOXES), True)
    expected = losses(model, data, True, seed=0)
    assert torch.equal(losses(model, data, True, seed=1), expected)
    for image in range(len(SIZES)):
        alone = {key: data[key][image : image + 1] for key in data}
        found = losses(model, alone, True, seed=2)
        torch.testing.assert_close(found[0], expected[image])


def test_weights_of_positives_count() -> None:
    model = model_of(num=32)
    data = model.data_preprocessor(batch(SIZES, BOXES), True)
    plain = losses(model, data, True, seed=0)
    model.rpn_head.train_cfg['pos_weight'] = 3.0
    expected = losses(model, data, True, seed=0)
    assert_mean(expected, draws(model, data))
    assert (expected > plain).all()


def test_the_step_is_untouched_and_shares_are_of_the_drawn() -> None:
    model = model_of(num=32).train()
    data = model.data_preprocessor(batch(SIZES, BOXES), True)
    twin = copy.deepcopy(model)
    torch.manual_seed(0)
    plain = twin(**copy.deepcopy(data), mode='loss')
    state = torch.get_rng_state()
    torch.manual_seed(0)
    with capture_per_image_losses(model, True, True) as captured:
        batch_losses = model(**copy.deepcopy(data), mode='loss')
    assert torch.equal(torch.get_rng_state(), state)
    assert len(captured.losses) == 4
    for term in captured.losses:
        loss = plain[term]
        assert torch.equal(total(batch_losses[term]), total(loss))
        share = captured.shares[term].sum()
        torch.testing.assert_close(share, total(loss))


def test_other_samplers_stay_as_they_are() -> None:
    model = model_of(type='PseudoSampler')
    data = model.data_preprocessor(batch(SIZES, BOXES), True)
    drawn = losses(model, data, False, seed=0)
    assert torch.equal(losses(model, data, True, seed=0), drawn)
