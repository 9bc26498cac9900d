"""Per-image losses of classifiers against each image run alone."""

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from mmpretrain.models.heads import (
    EfficientFormerClsHead,
    LinearClsHead,
    MultiLabelLinearClsHead,
)
from small_cls import (
    CHANNELS,
    CLASSES,
    build_classifier,
    cls_batch,
    cls_head_config,
)
from torch import Tensor, nn

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses import capture_per_image_losses, check_supported

IMAGES = 9
WEIGHTS = [0.2, 1.0, 3.0, 0.7, 1.5]
CE = dict(type='CrossEntropyLoss')
BCE = CE | dict(use_sigmoid=True)
SMOOTH = dict(type='LabelSmoothLoss', label_smooth_val=0.1)
FOCAL = dict(type='FocalLoss')
ASYMMETRIC = dict(type='AsymmetricLoss')
SEESAW = dict(type='SeesawLoss', num_classes=CLASSES)

# name -> loss, what the images are labelled with
LOSSES = {
    'ce': (CE, 'label'),
    'ce_class_weight': (CE | dict(class_weight=WEIGHTS), 'label'),
    'ce_loss_weight': (CE | dict(loss_weight=0.3), 'label'),
    'soft_ce': (CE | dict(use_soft=True, class_weight=WEIGHTS), 'score'),
    'bce': (BCE, 'labels'),
    'bce_score': (BCE, 'score'),
    'bce_class_weight': (BCE | dict(class_weight=WEIGHTS), 'labels'),
    'bce_pos_weight': (BCE | dict(pos_weight=WEIGHTS), 'labels'),
    'smooth': (SMOOTH | dict(num_classes=CLASSES, loss_weight=2.0), 'label'),
    'smooth_score': (SMOOTH, 'score'),
    'smooth_classy_vision': (SMOOTH | dict(mode='classy_vision'), 'label'),
    'smooth_multi_label': (
        SMOOTH | dict(mode='multi_label', use_sigmoid=True),
        'labels',
    ),
    'focal': (FOCAL | dict(loss_weight=5.0), 'label'),
    'focal_labels': (FOCAL | dict(alpha=0.6), 'labels'),
    'asymmetric': (ASYMMETRIC | dict(use_sigmoid=False), 'label'),
    'asymmetric_labels': (ASYMMETRIC | dict(gamma_pos=1.0), 'labels'),
}
# name -> head, backbone, what the images are labelled with
HEADS = {
    'resnet': (cls_head_config(CE, cal_acc=True), 'resnet', 'label'),
    'plain': (dict(type='ClsHead'), 'vector', 'label'),
    'plain_multi_label': (
        dict(type='MultiLabelClsHead'),
        'vector',
        'labels',
    ),
    'csra': (
        cls_head_config(type='CSRAClsHead', num_heads=2, lam=0.1),
        'map',
        'labels',
    ),
    'transformer': (
        cls_head_config(type='VisionTransformerClsHead', hidden_dim=16),
        'transformer',
        'label',
    ),
    'conformer': (
        cls_head_config(
            CE | dict(class_weight=WEIGHTS),
            type='ConformerHead',
            in_channels=[CHANNELS, CHANNELS],
        ),
        'pair',
        'label',
    ),
    'arc_face': (cls_head_config(type='ArcFaceClsHead'), 'vector', 'label'),
    'efficient_former': (
        cls_head_config(type='EfficientFormerClsHead', distillation=False),
        'vector',
        'label',
    ),
    'levit': (
        cls_head_config(type='LeViTClsHead', distillation=False),
        'vector',
        'label',
    ),
    'vig': (
        cls_head_config(type='VigClsHead', hidden_dim=16, dropout=0.3),
        'vector',
        'label',
    ),
    'stacked': (
        cls_head_config(
            type='StackedLinearClsHead',
            mid_channels=[16],
            dropout_rate=0.3,
            norm_cfg=dict(type='BN1d'),
        ),
        'vector',
        'score',
    ),
    'regression': (
        cls_head_config(type='LinearRegressionHead'),
        'vector',
        'score',
    ),
}


def model_and_data(name: str) -> tuple[nn.Module, dict]:
    """Of a case of LOSSES or HEADS."""
    if name in HEADS:
        head, backbone, target = HEADS[name]
    else:
        loss, target = LOSSES[name]
        head, backbone = cls_head_config(loss), 'vector'
        if target == 'labels':
            head['type'] = 'MultiLabelLinearClsHead'
    model = build_classifier(head, backbone)
    return model, data_of(model, target)


def data_of(model: nn.Module, target: str = 'label', seed: int = 0) -> dict:
    return model.data_preprocessor(cls_batch(IMAGES, target, seed), True)


CASES = [*LOSSES, *HEADS]


def alone(data: dict, image: int) -> dict:
    return {
        'inputs': data['inputs'][image : image + 1],
        'data_samples': data['data_samples'][image : image + 1],
    }


def run(model: nn.Module, data: dict, seed: int = 0) -> dict:
    torch.manual_seed(seed)
    return model(**copy.deepcopy(data), mode='loss')


def close(actual: Any, expected: Any) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize('name', CASES)
def test_losses_are_those_of_each_image_alone(name: str) -> None:
    model, data = model_and_data(name)
    model.eval()  # BatchNorm frozen, so that images do not mix
    plain = run(model, data)
    with capture_per_image_losses(model, shares=True) as captured:
        run(model, data)
    assert list(captured.losses) == list(captured.shares) == ['loss']
    assert captured.missing == {}
    losses = captured.losses['loss']
    assert losses.dtype == torch.float32
    assert losses.shape == captured.shares['loss'].shape == (IMAGES,)
    assert not losses.requires_grad
    close(captured.shares['loss'].sum(), plain['loss'])
    for image in range(IMAGES):
        expected = run(model, alone(data, image))['loss']
        close(losses[image], expected.detach())


def test_class_weights_are_no_divisors() -> None:
    """mmpretrain divides by the number of images, unlike torch."""
    model, data = model_and_data('ce_class_weight')
    model.eval()
    with capture_per_image_losses(model) as captured:
        run(model, data)
    logits = model(**data, mode='tensor')
    labels = torch.cat([s.gt_label for s in data['data_samples']])
    own = F.cross_entropy(logits, labels, reduction='none').detach()
    close(captured.losses['loss'], own * torch.tensor(WEIGHTS)[labels])


@pytest.mark.parametrize('name', CASES)
def test_gradient_of_the_summed_shares_is_the_plain_one(name: str) -> None:
    model, data = model_and_data(name)
    twin = copy.deepcopy(model)
    run(twin, data)['loss'].backward()
    with capture_per_image_losses(model, shares=True) as captured:
        run(model, data)
    captured.shares['loss'].sum().backward()
    ours, theirs = gradient(model), gradient(twin)
    assert theirs.norm() > 0
    assert (ours - theirs).norm() <= 1e-5 * theirs.norm()


def gradient(model: nn.Module) -> Tensor:
    """Of all parameters, in one vector."""
    parts = [
        torch.zeros_like(p) if p.grad is None else p.grad
        for p in model.parameters()
    ]
    return torch.cat([part.flatten() for part in parts])


@pytest.mark.parametrize('shares', [False, True])
@pytest.mark.parametrize('name', CASES)
def test_forward_loss_and_random_state_are_untouched(
    name: str, shares: bool
) -> None:
    model, data = model_and_data(name)
    twin = copy.deepcopy(model)
    plain = run(twin, data)
    state = torch.get_rng_state()
    with capture_per_image_losses(model, shares=shares) as captured:
        ours = run(model, data)
    assert bool(captured.shares) == shares
    assert torch.equal(torch.get_rng_state(), state)
    assert list(ours) == list(plain)
    assert torch.equal(ours['loss'], plain['loss'])
    check_same_buffers(model, twin)


def check_same_buffers(model: nn.Module, twin: nn.Module) -> None:
    for ours, theirs in zip(model.buffers(), twin.buffers(), strict=True):
        assert torch.equal(ours, theirs)


def seesaw_models(conformer: bool = False) -> list[nn.Module]:
    """Two of the same model."""
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
    # A ConformerHead asks twice, so mmpretrain counts twice.
    counted = model.head.loss_module.cum_samples.sum()
    assert counted == 3 * IMAGES * (1 + conformer)


def test_seesaw_loss_under_nested_captures() -> None:
    model, twin = seesaw_models()
    data = data_of(model)
    run(twin, data)
    with (
        capture_per_image_losses(model) as outer,
        capture_per_image_losses(model) as inner,
    ):
        run(model, data)
    check_same_buffers(model, twin)
    assert torch.equal(outer.losses['loss'], inner.losses['loss'])


def literal_seesaw(logits: Tensor, label: int, counts: list[float]) -> Tensor:
    """One image's loss by the formula of the paper."""
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
    """An image alone would change the counts, so the oracle is a loop."""
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
    model, twin = seesaw_models()
    data = data_of(model)
    run(twin, data)['loss'].backward()
    with capture_per_image_losses(model, shares=True) as captured:
        run(model, data)
    captured.shares['loss'].sum().backward()
    ours, theirs = gradient(model), gradient(twin)
    assert (ours - theirs).norm() <= 1e-5 * theirs.norm()


@pytest.mark.parametrize(
    ('name', 'calls'), [('ce', 1), ('smooth', 1), ('conformer', 2)]
)
def test_the_loss_is_asked_once_more_for_the_whole_batch(
    monkeypatch: pytest.MonkeyPatch, name: str, calls: int
) -> None:
    model, data = model_and_data(name)
    asked = []
    loss = type(model.head.loss_module)
    original = loss.forward

    def forward(*args: Any, **kwargs: Any) -> Tensor:
        asked.append(len(args[1]))
        return original(*args, **kwargs)

    monkeypatch.setattr(loss, 'forward', forward)
    with capture_per_image_losses(model, shares=True):
        run(model, data)
    assert asked == [IMAGES] * calls * 2


def test_half_precision_is_scored_in_float32() -> None:
    model, data = model_and_data('bce')
    model.eval()
    with torch.autocast('cpu', torch.bfloat16):
        plain = run(model, data)
        with capture_per_image_losses(model) as captured:
            assert torch.equal(run(model, data)['loss'], plain['loss'])
    losses = captured.losses['loss']
    assert losses.dtype == torch.float32
    torch.testing.assert_close(
        losses.mean(), plain['loss'].detach().float(), rtol=1e-2, atol=0
    )


def patched(model: nn.Module) -> list:
    """Instance attributes that hide a method, and hooks."""
    found: list = []
    for part in model.modules():
        found += [n for n in vars(part) if callable(getattr(type(part), n, 0))]
        found += [*part._forward_hooks, *part._forward_pre_hooks]
    return found


def test_everything_is_restored_also_after_an_exception() -> None:
    model, data = model_and_data('ce')
    with capture_per_image_losses(model):
        assert patched(model) == ['loss', 'loss']
        run(model, data)
    assert patched(model) == []

    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError('inside a loss')

    handle = model.head.loss_module.register_forward_hook(fail)
    with (
        pytest.raises(RuntimeError, match='inside a loss'),
        capture_per_image_losses(model, shares=True),
    ):
        run(model, data)
    handle.remove()
    assert patched(model) == []


@pytest.mark.parametrize('reduction', ['sum', 'none'])
@pytest.mark.parametrize('loss', [CE, SMOOTH, SEESAW])
def test_a_loss_that_is_no_mean_is_refused(loss: dict, reduction: str) -> None:
    model = build_classifier(cls_head_config(loss | dict(reduction=reduction)))
    match = (
        f"head.loss_module={loss['type']} with reduction='{reduction}': "
        "per-image losses need reduction='mean'"
    )
    with pytest.raises(UnsupportedModelError, match=match):
        check_supported(model)


class OtherLinear(LinearClsHead):
    def _get_loss(self, *args: Any, **kwargs: Any) -> dict:
        return super()._get_loss(*args, **kwargs)


class OtherMultiLabel(MultiLabelLinearClsHead):
    def loss(self, *args: Any, **kwargs: Any) -> dict:
        return super().loss(*args, **kwargs)


class OtherEfficientFormer(EfficientFormerClsHead):
    def _get_loss(self, *args: Any, **kwargs: Any) -> dict:
        return super()._get_loss(*args, **kwargs)


class SameLoss(LinearClsHead):
    def forward(self, feats: tuple) -> Tensor:
        return super().forward(feats) * 2


@pytest.mark.parametrize(
    'head', [OtherLinear, OtherMultiLabel, OtherEfficientFormer]
)
def test_a_subclass_that_changes_the_loss_is_refused(head: type) -> None:
    model = build_classifier(head(CLASSES, CHANNELS))
    match = f'for head={head.__name__}; supported heads: .*ClsHead'
    with pytest.raises(UnsupportedModelError, match=match):
        check_supported(model)


def test_a_subclass_with_the_same_loss_is_not_refused() -> None:
    check_supported(build_classifier(SameLoss(CLASSES, CHANNELS)))


def test_a_head_of_several_tasks_is_refused() -> None:
    head = dict(type='MultiTaskHead', task_heads=dict(one=cls_head_config()))
    with pytest.raises(UnsupportedModelError, match='head=MultiTaskHead'):
        check_supported(build_classifier(head))


class OneNumber(nn.Module):
    """A loss that averages whatever it is asked for."""

    reduction = 'mean'

    def forward(self, scores: Tensor, labels: Tensor, **kwargs: Any) -> Tensor:
        return F.cross_entropy(scores, labels)


def test_a_loss_that_gives_one_number_only_is_refused() -> None:
    head = LinearClsHead(CLASSES, CHANNELS, loss=OneNumber())
    model = build_classifier(head)
    with (
        pytest.raises(
            UnsupportedModelError, match='OneNumber gives no loss per image'
        ),
        capture_per_image_losses(model),
    ):
        run(model, data_of(model))


@pytest.mark.filterwarnings('ignore:Using a target size')
def test_a_regression_that_compares_every_pair_is_refused() -> None:
    """mmpretrain broadcasts (N, 1) outputs against (N,) labels."""
    head = cls_head_config(type='LinearRegressionHead', num_classes=1)
    model = build_classifier(head)
    with (
        pytest.raises(
            UnsupportedModelError, match='RegressionLoss gives no loss per'
        ),
        capture_per_image_losses(model),
    ):
        run(model, data_of(model, 'number'))
