"""Per-image losses of segmentors against each image run alone."""

import copy
from collections.abc import Iterator
from typing import Any

import mmseg.models.losses.focal_loss as focal_loss
import pytest
import torch
import torch.nn.functional as F
from mmseg.models.decode_heads import FCNHead, PointHead
from mmseg.models.losses import CrossEntropyLoss
from mmseg.structures.sampler import OHEMPixelSampler
from small_seg import (
    IGNORED,
    build_segmentor,
    head_config,
    labels_of,
    seg_batch,
    segmentor_config,
)
from torch import Tensor, nn

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses import capture_per_image_losses, check_supported

pytestmark = [
    pytest.mark.filterwarnings('ignore:Default ..avg_non_ignore'),
    pytest.mark.filterwarnings('ignore:..build_pixel_sampler'),
]
# Padded to 32x48; the last image keeps a few valid pixels only.
SIZES = [(32, 48), (24, 40), (32, 32), (17, 48)]
PARTS = [0.0, 0.3, 0.6, 0.95]
WEIGHTS = [0.2, 1.0, 3.0, 0.7]
STAGES = dict(in_channels=[4, 8], in_index=[0, 1])


def ce(**changes: Any) -> dict:
    return dict(type='CrossEntropyLoss') | changes


def focal(**changes: Any) -> dict:
    return dict(type='FocalLoss') | changes


def dice(**changes: Any) -> dict:
    return dict(type='DiceLoss') | changes


def lovasz(**changes: Any) -> dict:
    return dict(type='LovaszLoss', per_image=True) | changes


def one_channel(loss: Any, **changes: Any) -> dict:
    """A head of two classes for losses of binary maps."""
    return head_config(
        loss, num_classes=2, out_channels=1, threshold=0.3, **changes
    )


def cascade(*heads: dict) -> dict:
    return segmentor_config(
        list(heads),
        type='CascadeEncoderDecoder',
        num_stages=len(heads),
        train_cfg=dict(
            num_points=96, oversample_ratio=3, importance_sample_ratio=0.75
        ),
    )


PIXEL_HEADS = {
    'ce': head_config(ce()),
    'ce_valid': head_config(ce(avg_non_ignore=True)),
    'ce_class_weight': head_config(ce(class_weight=WEIGHTS)),
    'ce_loss_weight': head_config(ce(loss_weight=0.4)),
    'ce_sum': head_config(ce(reduction='sum')),
    'ce_sum_class_weight': head_config(
        ce(reduction='sum', class_weight=WEIGHTS)
    ),
    'bce': head_config(ce(use_sigmoid=True)),
    'bce_valid': head_config(ce(use_sigmoid=True, avg_non_ignore=True)),
    'bce_sum': head_config(ce(use_sigmoid=True, reduction='sum')),
    'bce_one_channel': one_channel(ce(use_sigmoid=True)),
    'bce_one_channel_valid': one_channel(
        ce(use_sigmoid=True, avg_non_ignore=True, class_weight=[2.5])
    ),
    'focal': head_config(focal(loss_weight=3.0)),
    'focal_class_weight': head_config(focal(alpha=0.3, class_weight=WEIGHTS)),
    'focal_sum': head_config(focal(reduction='sum')),
}
IMAGE_HEADS = {
    'dice': head_config(dice(loss_weight=2.0)),
    'dice_softmax': head_config(dice(use_sigmoid=False, naive_dice=True)),
    'dice_sum': head_config(dice(reduction='sum')),
    'lovasz': head_config(lovasz()),
    'lovasz_class_weight': head_config(lovasz(class_weight=WEIGHTS)),
    'lovasz_sum': head_config(lovasz(reduction='sum')),
    'lovasz_binary': one_channel(lovasz(loss_type='binary')),
    'tversky': head_config(dict(type='TverskyLoss', loss_weight=0.5)),
    'tversky_class_weight': head_config(
        dict(type='TverskyLoss', class_weight=WEIGHTS, alpha=0.6, beta=0.4)
    ),
}
SAME_NAME = [
    ce(),
    ce(class_weight=WEIGHTS, loss_weight=0.5),
    dice(loss_name='loss_ce'),
]
OTHER_HEADS = {
    'same_name': head_config(SAME_NAME),
    'different_names': head_config(
        [ce(), dice(), lovasz(), ce(use_sigmoid=True, loss_name='loss_bce')]
    ),
    'aspp': head_config(ce(), type='ASPPHead', dilations=(1, 3)),
    'da': head_config(SAME_NAME, type='DAHead', pam_channels=4),
    'enc': head_config(
        ce(), type='EncHead', num_codes=6, add_lateral=True, **STAGES
    ),
    'stdc': one_channel([ce(use_sigmoid=True), dice()], type='STDCHead'),
}
CONFIGS = {
    name: segmentor_config(head)
    for name, head in (PIXEL_HEADS | IMAGE_HEADS | OTHER_HEADS).items()
} | {
    'aux': segmentor_config(
        head_config(ce()), head_config(ce(loss_weight=0.4), stage=0)
    ),
    'aux_list': segmentor_config(
        head_config(SAME_NAME),
        [head_config(ce(class_weight=WEIGHTS), stage=0), head_config(dice())],
    ),
    'ocr': cascade(
        head_config(ce()),
        head_config(SAME_NAME, type='OCRHead', ocr_channels=4),
    ),
    'point_rend': cascade(
        head_config(ce()),
        head_config(
            [ce(), ce(loss_name='loss_weighted', class_weight=WEIGHTS)],
            type='PointHead',
            num_fcs=2,
            norm_cfg=None,
            in_channels=[4],
            in_index=[0],
        ),
    ),
}
TERMS = {
    'different_names': [
        'decode.loss_ce',
        'decode.loss_dice',
        'decode.loss_lovasz',
        'decode.loss_bce',
    ],
    'da': [
        'decode.pam_cam.loss_ce',
        'decode.pam.loss_ce',
        'decode.cam.loss_ce',
    ],
    'enc': ['decode.loss_ce', 'decode.loss_se'],
    'stdc': ['decode.loss_ce', 'decode.loss_dice'],
    'aux': ['decode.loss_ce', 'aux.loss_ce'],
    'aux_list': ['decode.loss_ce', 'aux_0.loss_ce', 'aux_1.loss_dice'],
    'ocr': ['decode_0.loss_ce', 'decode_1.loss_ce'],
    'point_rend': [
        'decode_0.loss_ce',
        'decode_1.pointloss_ce',
        'decode_1.pointloss_weighted',
    ],
}


class FirstColumns:
    """A one-hot tensor that gives ``[:, :n]`` where ``[:, n]`` is asked."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    def __getitem__(self, key: tuple) -> Tensor:
        return self.tensor[:, : key[1]]


class MendedFunctional:
    """torch.nn.functional with a one_hot for mmseg's FocalLoss."""

    def __getattr__(self, name: str) -> Any:
        return getattr(F, name)

    def one_hot(self, *args: Any, **kwargs: Any) -> FirstColumns:
        return FirstColumns(F.one_hot(*args, **kwargs))


@pytest.fixture(autouse=True)
def focal_loss_on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """mmseg's FocalLoss fails on a CPU with label maps.

    It takes one column, ``[:, num_classes]``, of the one-hot labels, where
    its branch for GPUs takes the first ones, ``[:, :num_classes]``.
    """
    monkeypatch.setattr(focal_loss, 'F', MendedFunctional())


@pytest.fixture
def same_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """PointRend's random points, the same ones in every image."""
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(1, 96, 2, generator=generator)

    def draw(self: Any, logits: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return points.expand(len(logits), -1, -1)

    monkeypatch.setattr(PointHead, 'get_points_train', draw)


def build(config: dict) -> nn.Module:
    """Evaluation mode: BatchNorm frozen, so that images do not mix."""
    return build_segmentor(copy.deepcopy(config)).eval()


def data_of(
    model: nn.Module, sizes: list = SIZES, parts: list = PARTS
) -> dict:
    data = seg_batch(sizes, parts, classes=model.num_classes)
    return model.data_preprocessor(data, True)


def alone(data: dict, image: int) -> dict:
    """One image of the padded batch."""
    return {
        'inputs': data['inputs'][image : image + 1],
        'data_samples': data['data_samples'][image : image + 1],
    }


def run(model: nn.Module, data: dict, seed: int = 0) -> dict:
    torch.manual_seed(seed)
    return model(**copy.deepcopy(data), mode='loss')


def logits_of(model: nn.Module, data: dict) -> Tensor:
    """The decode head's, in the size of the label maps."""
    return F.interpolate(
        model(**data, mode='tensor'),
        size=data['inputs'].shape[2:],
        mode='bilinear',
    )


def close(actual: Any, expected: Any) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-7)


def loss_terms(batch: dict) -> dict:
    return {term: value for term, value in batch.items() if 'loss' in term}


def captured_losses(model: nn.Module, data: dict) -> Any:
    """The captured losses; checks that the shares are parts of the loss."""
    plain = loss_terms(run(model, data))
    with capture_per_image_losses(model, shares=True) as captured:
        run(model, data)
    assert list(captured.losses) == list(plain)
    images = (len(data['inputs']),)
    for term, value in plain.items():
        assert captured.losses[term].dtype == torch.float32
        assert captured.losses[term].shape == images
        assert not captured.losses[term].requires_grad
        assert captured.shares[term].shape == images
        close(captured.shares[term].sum(), value)
    return captured


def check_against_each_image_alone(
    model: nn.Module, oracle: nn.Module, data: dict
) -> None:
    captured = captured_losses(model, data)
    for image in range(len(data['inputs'])):
        expected = run(oracle, alone(data, image))
        for term, values in captured.losses.items():
            close(values[image], expected[term].detach())


def every_loss(config: Any) -> Iterator[dict]:
    """All CrossEntropyLoss configs inside of a config."""
    if isinstance(config, dict):
        if config.get('type') == 'CrossEntropyLoss':
            yield config
        config = list(config.values())
    if isinstance(config, list):
        for value in config:
            yield from every_loss(value)


def averaging_valid_pixels(config: dict) -> dict:
    """The same segmentor, divided by the valid pixels only."""
    config = copy.deepcopy(config)
    for loss in every_loss(config):
        # Class weights are divided by the valid pixels' weights anyway, and
        # both together fail in mmseg.
        if 'class_weight' not in loss:
            loss['avg_non_ignore'] = True
    return config


@pytest.mark.usefixtures('same_points')
@pytest.mark.parametrize('name', CONFIGS)
def test_losses_are_those_of_each_image_alone(name: str) -> None:
    model = build(CONFIGS[name])
    data = data_of(model, [(32, 48)] * 3, [0.0] * 3)
    check_against_each_image_alone(model, model, data)


@pytest.mark.usefixtures('same_points')
@pytest.mark.parametrize(
    'name', [name for name in CONFIGS if 'focal' not in name]
)
def test_padded_and_ignored_pixels_do_not_count(name: str) -> None:
    """FocalLoss cannot average valid pixels alone; see the test below."""
    model = build(CONFIGS[name])
    oracle = build(averaging_valid_pixels(CONFIGS[name]))
    check_against_each_image_alone(model, oracle, data_of(model))


def literal_loss(loss: dict, logits: Tensor, labels: Tensor) -> Tensor:
    """A pixel loss of one image: a sum or mean over its valid pixels.

    Args:
        loss (dict): Config of the loss.
        logits (Tensor): (C, H, W).
        labels (Tensor): (H, W).
    """
    valid = labels != IGNORED
    logits, labels = logits[:, valid].T, labels[valid]
    weights = loss.get('class_weight')
    weights = None if weights is None else torch.tensor(weights)
    reduction = loss.get('reduction', 'mean')
    binary = loss.get('use_sigmoid') or loss['type'] == 'FocalLoss'
    if not binary:
        value = F.cross_entropy(logits, labels, weights, reduction=reduction)
        return value * loss.get('loss_weight', 1)
    targets = labels[:, None].float()
    if logits.shape[1] > 1:
        targets = F.one_hot(labels, logits.shape[1]).float()
    if loss['type'] == 'FocalLoss':
        right = torch.where(targets == 1, logits, -logits).sigmoid()
        alpha = loss.get('alpha', 0.5)
        alpha = alpha * targets + (1 - alpha) * (1 - targets)
        values = -alpha * (1 - right) ** 2 * right.log()
        values = values if weights is None else values * weights
    else:
        values = F.binary_cross_entropy_with_logits(
            logits, targets, pos_weight=weights, reduction='none'
        )
    return getattr(values, reduction)() * loss.get('loss_weight', 1)


@pytest.mark.parametrize('name', PIXEL_HEADS)
def test_pixel_losses_are_means_over_own_valid_pixels(name: str) -> None:
    model = build(CONFIGS[name])
    data = data_of(model)
    (losses,) = captured_losses(model, data).losses.values()
    logits, labels = logits_of(model, data).detach(), labels_of(data)
    for image, loss in enumerate(losses):
        expected = literal_loss(
            PIXEL_HEADS[name]['loss_decode'], logits[image], labels[image]
        )
        close(loss, expected)


def test_another_label_may_be_the_ignored_one() -> None:
    model = build(segmentor_config(head_config(ce(), ignore_index=3)))
    data = data_of(model, [(32, 48)] * 3, [0.0] * 3)
    (losses,) = captured_losses(model, data).losses.values()
    logits, labels = logits_of(model, data).detach(), labels_of(data)
    for image, loss in enumerate(losses):
        close(
            loss,
            F.cross_entropy(
                logits[image][None], labels[image][None], ignore_index=3
            ),
        )


@pytest.mark.parametrize('name', TERMS)
def test_terms_are_named_as_the_model_names_them(name: str) -> None:
    model = build(CONFIGS[name])
    with capture_per_image_losses(model) as captured:
        run(model, data_of(model))
    assert list(captured.losses) == TERMS[name]
    assert captured.shares == {}


def training(config: dict) -> nn.Module:
    """Training mode with dropout: what a forward draws must not change."""
    config = copy.deepcopy(config)
    heads = [config['decode_head'], config['auxiliary_head']]
    for head in heads:
        for one in head if isinstance(head, list) else [head]:
            if one is not None:
                one['dropout_ratio'] = 0.3
    return build_segmentor(config).train()


def gradient(model: nn.Module) -> Tensor:
    """Of all parameters, in one vector."""
    parts = [
        torch.zeros_like(p) if p.grad is None else p.grad
        for p in model.parameters()
    ]
    return torch.cat([part.flatten() for part in parts])


@pytest.mark.parametrize('name', CONFIGS)
def test_gradient_of_the_summed_shares_is_the_plain_one(name: str) -> None:
    model = training(CONFIGS[name])
    twin = copy.deepcopy(model)
    data = data_of(model)
    sum(loss_terms(run(twin, data)).values()).backward()
    with capture_per_image_losses(model, shares=True) as captured:
        run(model, data)
    sum(share.sum() for share in captured.shares.values()).backward()
    ours, theirs = gradient(model), gradient(twin)
    assert (ours - theirs).norm() <= 1e-5 * theirs.norm()


@pytest.mark.parametrize('shares', [False, True])
@pytest.mark.parametrize('name', CONFIGS)
def test_forward_loss_and_random_state_are_untouched(
    name: str, shares: bool
) -> None:
    model = training(CONFIGS[name])
    twin = copy.deepcopy(model)
    data = data_of(model)
    plain = run(twin, data)
    state = torch.get_rng_state()
    with capture_per_image_losses(model, shares=shares):
        captured = run(model, data)
    assert torch.equal(torch.get_rng_state(), state)
    assert list(captured) == list(plain)
    for term in plain:
        assert torch.equal(captured[term], plain[term])
    for ours, theirs in zip(model.buffers(), twin.buffers(), strict=True):
        assert torch.equal(ours, theirs)


OHEM_LOSSES = {
    'ce': ce(),
    'ce_valid': ce(avg_non_ignore=True),
    'ce_class_weight': ce(class_weight=WEIGHTS, loss_weight=2.0),
}


@pytest.mark.parametrize('thresh', [None, 0.3])
@pytest.mark.parametrize('loss', OHEM_LOSSES)
def test_hard_pixels_are_those_of_the_batch(
    loss: str, thresh: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image alone would choose others, so the oracle is a computation."""
    chosen = []
    original = OHEMPixelSampler.sample

    def sample(self: Any, *args: Any) -> Tensor:
        chosen.append(original(self, *args))
        return chosen[-1]

    monkeypatch.setattr(OHEMPixelSampler, 'sample', sample)
    sampler = dict(type='OHEMPixelSampler', thresh=thresh, min_kept=100)
    config = OHEM_LOSSES[loss]
    model = build(segmentor_config(head_config(config, sampler=sampler)))
    data = data_of(model)
    (losses,) = captured_losses(model, data).losses.values()
    logits, labels = logits_of(model, data).detach(), labels_of(data)
    weights = torch.tensor(config.get('class_weight', [1.0] * 4))
    for image, hard in enumerate(chosen[-1]):
        valid = labels[image] != IGNORED
        assert 0 < hard.sum() < valid.sum()
        values = F.cross_entropy(
            logits[image, :, valid].T,
            labels[image][valid],
            weights,
            reduction='none',
        )
        expected = (values * hard[valid]).sum()
        expected = expected / weights[labels[image][valid]].sum()
        close(losses[image], expected * config.get('loss_weight', 1))


@pytest.mark.parametrize('kind', ['FCNHead', 'DAHead'])
def test_ranking_the_pixels_is_no_loss(kind: str) -> None:
    """The sampler calls the loss modules too, in a DAHead between losses."""
    extra = dict(pam_channels=4) if kind == 'DAHead' else {}
    sampler = dict(type='OHEMPixelSampler', min_kept=100)
    head = head_config([ce(), ce()], type=kind, sampler=sampler, **extra)
    model = build(segmentor_config(head))
    data = data_of(model)
    captured_losses(model, data)
    plain = run(model, data)
    with capture_per_image_losses(model):
        captured = run(model, data)
    for term, value in plain.items():
        assert torch.equal(captured[term], value)


# mmseg's softmax Lovasz fails with an image that has no valid pixel, and an
# STDCHead makes a map of edges from the labels, in which every pixel is valid.
BLANK = [
    name
    for name, config in CONFIGS.items()
    if 'Lovasz' not in str(config) and name != 'stdc'
] + ['lovasz_binary']


@pytest.mark.usefixtures('same_points')
@pytest.mark.parametrize('name', BLANK)
def test_an_image_without_a_valid_pixel(name: str) -> None:
    model = build(CONFIGS[name])
    data = data_of(model, SIZES[:3], [0.1, 1.0, 0.5])
    captured = captured_losses(model, data)
    others = {
        'inputs': data['inputs'][::2],
        'data_samples': data['data_samples'][::2],
    }
    expected = captured_losses(model, others)
    for term, losses in captured.losses.items():
        if term == 'decode.loss_se':
            # It asks which classes the map shows: none is an answer.
            assert not captured.missing[term].any()
            continue
        assert captured.missing[term].tolist() == [False, True, False]
        assert losses[1].isnan()
        close(losses[::2], expected.losses[term])
        assert not expected.missing[term].any()


@pytest.mark.usefixtures('same_points')
@pytest.mark.parametrize(
    # With one channel, mmseg looks for the largest of no labels.
    'name',
    [name for name in BLANK if 'one_channel' not in name],
)
def test_a_batch_without_a_valid_pixel(name: str) -> None:
    model = build(CONFIGS[name])
    captured = captured_losses(model, data_of(model, SIZES[:2], [1.0, 1.0]))
    for term, shares in captured.shares.items():
        assert shares.isfinite().all()
        if term != 'decode.loss_se':
            assert captured.losses[term].isnan().all()


def test_an_image_of_a_class_without_weight_has_a_loss_of_zero() -> None:
    loss = ce(class_weight=[0.0, 1.0, 1.0, 1.0])
    model = build(segmentor_config(head_config(loss)))
    data = data_of(model)
    data['data_samples'][0].gt_sem_seg.data.zero_()
    captured = captured_losses(model, data)
    assert captured.losses['decode.loss_ce'][0] == 0
    assert not captured.missing['decode.loss_ce'].any()


def test_half_precision_is_scored_in_float32() -> None:
    model = build(CONFIGS['bce'])
    data = data_of(model, [(32, 48)] * 3, [0.0] * 3)
    with torch.autocast('cpu', torch.bfloat16):
        plain = run(model, data)
        with capture_per_image_losses(model) as captured:
            assert torch.equal(
                run(model, data)['decode.loss_ce'], plain['decode.loss_ce']
            )
    losses = captured.losses['decode.loss_ce']
    assert losses.dtype == torch.float32
    torch.testing.assert_close(
        losses.mean(), plain['decode.loss_ce'].float(), rtol=1e-2, atol=0
    )


def test_a_pixel_loss_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its values are as many as the pixels: asking again would cost."""
    model = build(CONFIGS['ce'])
    data = data_of(model)
    calls = []
    loss = type(model.decode_head.loss_decode)
    original = loss.forward

    def forward(*args: Any, **kwargs: Any) -> Tensor:
        calls.append(len(args[1]))
        return original(*args, **kwargs)

    monkeypatch.setattr(loss, 'forward', forward)
    with capture_per_image_losses(model, shares=True):
        run(model, data)
    assert calls == [4]


def patched(model: nn.Module) -> list[str]:
    """Instance attributes that hide a method, and hooks."""
    return [
        name
        for part in model.modules()
        for name in vars(part)
        if callable(getattr(type(part), name, None))
    ] + [
        hook
        for part in model.modules()
        for hook in [*part._forward_hooks, *part._forward_pre_hooks]
    ]


def test_everything_is_restored_also_after_an_exception() -> None:
    model = build(CONFIGS['aux_list'])
    data = data_of(model)
    with capture_per_image_losses(model):
        assert patched(model)[:2] == ['loss', 'loss_by_feat']
        run(model, data)
    assert patched(model) == []

    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError('inside a loss')

    handle = model.auxiliary_head[1].loss_decode.register_forward_hook(fail)
    with (
        pytest.raises(RuntimeError, match='inside a loss'),
        capture_per_image_losses(model, shares=True),
    ):
        run(model, data)
    handle.remove()
    assert patched(model) == []


class OtherCrossEntropy(CrossEntropyLoss):
    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        return super().forward(*args, **kwargs) ** 2


class OtherLossHead(FCNHead):
    def loss_by_feat(self, *args: Any, **kwargs: Any) -> dict:
        return super().loss_by_feat(*args, **kwargs)


class SameLossHead(FCNHead):
    pass


USE = 'use CrossEntropyLoss .with an OHEMPixelSampler'


@pytest.mark.parametrize(
    ('loss', 'message'),
    [
        (
            lovasz(per_image=False, reduction='none'),
            'LovaszLoss with per_image=False .* use LovaszLoss.per_image=True',
        ),
        (dict(type='OhemCrossEntropy'), 'OhemCrossEntropy .*' + USE),
        (dict(type='BoundaryLoss'), 'BoundaryLoss .*' + USE),
        (
            dict(type='HuasdorffDisstanceLoss'),
            'HuasdorffDisstanceLoss .*' + USE,
        ),
        (ce(use_mask=True), 'CrossEntropyLoss .*' + USE),
        (
            ce(reduction='none'),
            "CrossEntropyLoss with reduction='none': .*'mean' or 'sum'",
        ),
        (
            lovasz(reduction='none'),
            "LovaszLoss with reduction='none': .*'mean' or 'sum'",
        ),
    ],
)
def test_losses_without_a_value_per_image_are_refused(
    loss: dict, message: str
) -> None:
    """Whichever head they are in, and before anything is computed."""
    model = build(segmentor_config(head_config([ce(), loss])))
    match = 'decode_head.loss_decode.1=' + message
    with pytest.raises(UnsupportedModelError, match=match):
        check_supported(model)
    assert patched(model) == []
    aux = [head_config(), head_config(loss, stage=0)]
    model = build(segmentor_config(head_config(), aux))
    match = 'auxiliary_head.1.loss_decode=' + message
    with pytest.raises(UnsupportedModelError, match=match):
        check_supported(model)


def test_a_loss_class_with_another_forward_is_refused() -> None:
    model = build(CONFIGS['ce'])
    model.decode_head.loss_decode.__class__ = OtherCrossEntropy
    with pytest.raises(UnsupportedModelError, match='=OtherCrossEntropy'):
        check_supported(model)


def test_a_head_that_computes_its_losses_itself_is_refused() -> None:
    head = head_config([ce(), ce()], type='DDRHead')
    with pytest.raises(
        UnsupportedModelError,
        match='for decode_head=DDRHead; supported heads: BaseDecodeHead',
    ):
        check_supported(build(segmentor_config(head)))


def test_a_subclass_that_changes_the_loss_is_refused() -> None:
    model = build(CONFIGS['aux'])
    model.auxiliary_head.__class__ = SameLossHead
    check_supported(model)
    model.auxiliary_head.__class__ = OtherLossHead
    with pytest.raises(UnsupportedModelError, match='=OtherLossHead'):
        check_supported(model)


def test_nested_captures_see_the_same() -> None:
    model = build(CONFIGS['aux'])
    data = data_of(model)
    with (
        capture_per_image_losses(model) as outer,
        capture_per_image_losses(model) as inner,
    ):
        run(model, data)
    assert list(outer.losses) == list(inner.losses) == TERMS['aux']
    for term in TERMS['aux']:
        assert torch.equal(outer.losses[term], inner.losses[term])
