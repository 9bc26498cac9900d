"""Capturing the losses of classifiers changes nothing else."""

import pytest

from cls_cases import CASES, IMAGES, model_and_data
from ies_mm.losses import capture_per_image_losses
from loss_checks import (
    check_gradient_of_summed_shares,
    check_half_precision,
    check_restored,
    check_untouched,
    count_calls,
    hooks,
    patched,
    run,
)


@pytest.mark.parametrize('name', CASES)
def test_gradient_of_the_summed_shares_is_the_plain_one(name: str) -> None:
    check_gradient_of_summed_shares(*model_and_data(name))


@pytest.mark.parametrize('shares', [False, True])
@pytest.mark.parametrize('name', CASES)
def test_forward_loss_and_random_state_are_untouched(
    name: str, shares: bool
) -> None:
    check_untouched(*model_and_data(name), shares)


@pytest.mark.parametrize(
    ('name', 'calls'), [('ce', 1), ('smooth', 1), ('conformer', 2)]
)
def test_the_loss_is_asked_once_more_for_the_whole_batch(
    monkeypatch: pytest.MonkeyPatch, name: str, calls: int
) -> None:
    model, data = model_and_data(name)
    asked = count_calls(monkeypatch, model.head.loss_module)
    with capture_per_image_losses(model, shares=True):
        run(model, data)
    assert asked == [IMAGES] * calls * 2


def test_half_precision_is_scored_in_float32() -> None:
    model, data = model_and_data('bce')
    check_half_precision(model.eval(), data)


def test_everything_is_restored_also_after_an_exception() -> None:
    model, data = model_and_data('ce')
    with capture_per_image_losses(model):
        assert patched(model) == ['loss', 'loss']
        assert hooks(model) == []
    check_restored(model, model.head.loss_module, data)
