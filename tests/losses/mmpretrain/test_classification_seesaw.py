"""SeesawLoss, which counts the labels it has seen."""

import pytest
import torch
from torch import Tensor, nn

from cls_cases import IMAGES, SEESAW, data_of
from ies_mm.losses import capture_per_image_losses
from loss_checks import (
    check_gradient_of_summed_shares,
    check_nested_captures,
    check_same_buffers,
    close,
    run,
)
from small_cls import CHANNELS, CLASSES, build_classifier, cls_head_config


def seesaw_models(conformer: bool = False) -> list[nn.Module]:
    """Two copies of the same model."""
    head, backbone = cls_head_config(SEESAW), 'vector'
    if conformer:
        head |= dict(type='ConformerHead', in_channels=[CHANNELS, CHANNELS])
        backbone = 'pair'
    return [build_classifier(head, backbone).eval() for _ in range(2)]


@pytest.mark.parametrize('shares', [False, True])
@pytest.mark.parametrize('conformer', [False, True])
def test_seesaw_loss_counts_every_image_once(
    conformer: bool, shares: bool
) -> None:
    model, twin = seesaw_models(conformer)
    for batch in range(3):
        data = data_of(model, seed=batch)
        plain = run(twin, data)
        with capture_per_image_losses(model, shares=shares) as captured:
            ours = run(model, data)
        assert torch.equal(ours['loss'], plain['loss'])
        check_same_buffers(model, twin)
        close(captured.losses['loss'].mean(), plain['loss'].detach())
    # A ConformerHead calls it twice, so mmpretrain counts twice.
    counted = model.head.loss_module.cum_samples.sum()
    assert counted == 3 * IMAGES * (1 + conformer)


def test_seesaw_loss_under_nested_captures() -> None:
    model, twin = seesaw_models()
    data = data_of(model)
    run(twin, data)
    check_nested_captures(model, data)
    check_same_buffers(model, twin)


def literal_seesaw(logits: Tensor, label: int, counts: list[float]) -> Tensor:
    """One image's loss by the paper's formula."""
    scores = logits.softmax(0)
    denominator = logits[label].exp()
    for other in range(CLASSES):
        if other == label:
            continue
        mitigation = max(counts[other], 1) / max(counts[label], 1)
        compensation = scores[other] / scores[label].clamp(min=0.01)
        factor = min(mitigation, 1) ** 0.8 * compensation.clamp(min=1) ** 2
        denominator = denominator + factor * logits[other].exp()
    return denominator.log() - logits[label]


def test_seesaw_losses_are_those_with_the_counts_of_the_batch() -> None:
    """A single image would change the counts, so the oracle is a loop."""
    model, _ = seesaw_models()
    run(model, data_of(model, seed=1))
    data = data_of(model)
    with capture_per_image_losses(model) as captured:
        run(model, data)
    counts = model.head.loss_module.cum_samples.tolist()
    assert len(set(counts)) > 1
    logits = model(**data, mode='tensor').detach()
    for image, sample in enumerate(data['data_samples']):
        expected = literal_seesaw(
            logits[image], sample.gt_label.item(), counts
        )
        close(captured.losses['loss'][image], expected)


def test_seesaw_gradient_of_the_summed_shares_is_the_plain_one() -> None:
    model, _ = seesaw_models()
    check_gradient_of_summed_shares(model, data_of(model))
