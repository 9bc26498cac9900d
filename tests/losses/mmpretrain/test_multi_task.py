"""Losses of a multi-task classifier; images may lack some tasks."""

import copy
from typing import Any

import pytest
import torch
from mmpretrain.models.heads import LinearClsHead, MultiTaskHead
from mmpretrain.structures import MultiTaskDataSample
from torch import Tensor, nn

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses import capture_per_image_losses, check_supported
from loss_checks import (
    captured_losses,
    check_against_each_image_alone,
    check_nested_captures,
    check_same_buffers,
    check_same_terms,
    close,
    gradient,
    loss_terms,
    run,
)
from small_cls import build_classifier, cls_batch, cls_head_config

IMAGES = 6
# Which image has a label for which task.
COLOUR = [True, True, False, True, False, True]
PARTS = [False, True, True, True, False, True]
TERMS = ['colour_loss', 'parts_loss']


def build() -> nn.Module:
    """Built, not copied: a copy's losses would still be the original's."""
    tasks = dict(
        colour=cls_head_config(dict(type='LabelSmoothLoss', loss_weight=2.0)),
        parts=cls_head_config(type='MultiLabelLinearClsHead'),
    )
    tasks['colour']['loss']['label_smooth_val'] = 0.2
    return build_classifier(dict(type='MultiTaskHead', task_heads=tasks))


@pytest.fixture
def model() -> nn.Module:
    return build()


def data_of(
    model: nn.Module, colour: list = COLOUR, parts: list = PARTS
) -> dict:
    data = cls_batch(IMAGES)
    labels = cls_batch(IMAGES, 'labels')['data_samples']
    samples = []
    for image, single in enumerate(data['data_samples']):
        sample = MultiTaskDataSample()
        if colour[image]:
            sample.set_field(single, 'colour')
        if parts[image]:
            sample.set_field(labels[image], 'parts')
        samples.append(sample)
    return model.data_preprocessor(data | dict(data_samples=samples), True)


def test_losses_are_those_of_each_image_alone(model: nn.Module) -> None:
    model.eval()
    data = data_of(model, [True] * IMAGES, [True] * IMAGES)
    captured = check_against_each_image_alone(model, model, data)
    assert list(captured.losses) == TERMS
    assert not torch.stack(list(captured.missing.values())).any()


def test_an_image_without_a_label_of_a_task_has_no_such_loss(
    model: nn.Module,
) -> None:
    model.eval()
    data = data_of(model)
    captured = captured_losses(model, data)
    for term, has in zip(TERMS, (COLOUR, PARTS), strict=True):
        labelled = torch.tensor(has)
        assert torch.equal(captured.missing[term], ~labelled)
        assert captured.losses[term][~labelled].isnan().all()
        assert (captured.shares[term][~labelled] == 0).all()
        for image in labelled.nonzero().flatten().tolist():
            one = {
                name: part[image : image + 1] for name, part in data.items()
            }
            close(captured.losses[term][image], run(model, one)[term].detach())
    assert captured.totals().isnan().tolist() == [False] * 4 + [True, False]


@pytest.mark.parametrize('colour', [COLOUR, [False] * IMAGES])
@pytest.mark.parametrize('shares', [False, True])
def test_capturing_changes_nothing_else(
    model: nn.Module, shares: bool, colour: list
) -> None:
    twin = build()
    data = data_of(model, colour)
    plain = run(twin, data)
    state = torch.get_rng_state()
    with capture_per_image_losses(model, shares=shares) as captured:
        ours = run(model, data)
    assert torch.equal(torch.get_rng_state(), state)
    check_same_terms(ours, plain)
    check_same_buffers(model, twin)
    if shares:
        sum(loss_terms(plain).values()).backward()
        sum(share.sum() for share in captured.shares.values()).backward()
        close(gradient(model), gradient(twin))


def test_a_batch_without_a_label_of_a_task(model: nn.Module) -> None:
    captured = captured_losses(model, data_of(model, [False] * IMAGES))
    assert captured.losses['colour_loss'].isnan().all()
    assert captured.missing['colour_loss'].all()
    # The previous one has left nothing behind.
    captured_losses(model, data_of(model))


def test_nested_captures_see_the_same(model: nn.Module) -> None:
    data = data_of(model, [True] * IMAGES, [True] * IMAGES)
    assert check_nested_captures(model, data) == TERMS


def test_a_copy_computes_with_the_head_it_is_copied_from(
    model: nn.Module,
) -> None:
    twin = copy.deepcopy(model)
    with (
        pytest.raises(UnsupportedModelError, match=r'head\.colour is a copy'),
        capture_per_image_losses(twin),
    ):
        run(twin, data_of(twin))


def test_everything_is_restored_also_after_an_exception(
    model: nn.Module,
) -> None:
    # mmpretrain itself leaves a converted loss in each task's head.
    before = [vars(head)['loss'] for head in model.head.task_heads.values()]
    with capture_per_image_losses(model):
        run(model, data_of(model))
    after = [vars(head)['loss'] for head in model.head.task_heads.values()]
    assert before == after
    failing = model.head.task_heads['parts'].loss_module
    handle = failing.register_forward_hook(lambda *args: 1 / 0)
    with (
        pytest.raises(ZeroDivisionError),
        capture_per_image_losses(model, shares=True),
    ):
        run(model, data_of(model))
    handle.remove()
    after = [vars(head)['loss'] for head in model.head.task_heads.values()]
    assert before == after


def test_tasks_of_a_task(model: nn.Module) -> None:
    """Their terms have both names, and their images are those of both."""
    model.eval()
    inner = model.head
    head = MultiTaskHead(dict(outer=inner))
    model.head = head
    data = data_of(model)
    samples = []
    for image, sample in enumerate(data['data_samples']):
        outer = MultiTaskDataSample()
        if image != 1:
            outer.set_field(sample, 'outer')
        samples.append(outer)
    captured = captured_losses(model, data | dict(data_samples=samples))
    assert list(captured.losses) == [f'outer_{term}' for term in TERMS]
    has = torch.tensor(COLOUR)
    has[1] = False
    assert torch.equal(captured.missing['outer_colour_loss'], ~has)


class OtherLoss(LinearClsHead):
    def _get_loss(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        return super()._get_loss(*args, **kwargs)


def test_a_task_that_has_no_adapter_is_named(model: nn.Module) -> None:
    model.head.task_heads['parts'].__class__ = OtherLoss
    with pytest.raises(UnsupportedModelError, match=r'head\.parts=OtherLoss'):
        check_supported(model)
