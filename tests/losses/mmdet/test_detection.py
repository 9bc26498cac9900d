"""Per-image losses of Faster R-CNN against each image run alone."""

import copy
from typing import Any

import pytest
import torch
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.models.task_modules.samplers import RandomSampler
from torch import Tensor, nn

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses import capture_per_image_losses, check_supported
from loss_checks import patched
from small import batch, build, faster_rcnn_config

SIZES = [(96, 128), (128, 96), (64, 80), (100, 101)]
BOXES = [1, 3, 2, 6]
TERMS = ['loss_rpn_cls', 'loss_rpn_bbox', 'loss_cls', 'loss_bbox']


def total(loss: Any) -> Tensor:
    """The sum of a loss value: one tensor, or one per level."""
    return sum(loss) if isinstance(loss, list) else loss


def data_of(model: nn.Module, sizes: list, boxes: list) -> dict:
    return model.data_preprocessor(batch(sizes, boxes), True)


def alone(data: dict, image: int) -> dict:
    """One image of the padded batch."""
    return {
        'inputs': data['inputs'][image : image + 1],
        'data_samples': copy.deepcopy(data['data_samples'][image : image + 1]),
    }


def run(model: nn.Module, data: dict, seed: int | None = 0) -> dict:
    if seed is not None:
        torch.manual_seed(seed)
    return model(**copy.deepcopy(data), mode='loss')


@pytest.fixture
def model() -> nn.Module:
    """Evaluation mode: BatchNorm frozen, so that images do not mix."""
    return build(faster_rcnn_config()).eval()


@pytest.fixture
def seeded_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random sampling that depends only on the image's boxes."""
    original = RandomSampler.sample

    def sample(
        self: Any, result: Any, pred: Any, gt: Any, **kwargs: Any
    ) -> Any:
        torch.manual_seed(int(gt.bboxes.sum() * 100))
        return original(self, result, pred, gt, **kwargs)

    monkeypatch.setattr(RandomSampler, 'sample', sample)


def check_against_each_image_alone(model: nn.Module, data: dict) -> None:
    with capture_per_image_losses(model, shares=True) as captured:
        batch_losses = run(model, data)
    assert list(captured.losses) == TERMS
    for term, share in captured.shares.items():
        torch.testing.assert_close(
            share.sum(), total(batch_losses[term]), rtol=1e-5, atol=1e-8
        )
    for image in range(len(SIZES)):
        expected = run(model, alone(data, image))
        for term, values in captured.losses.items():
            assert values.dtype == torch.float32
            torch.testing.assert_close(
                values[image],
                total(expected[term]).detach(),
                rtol=1e-5,
                atol=1e-7,
            )


@pytest.mark.usefixtures('seeded_draws')
def test_losses_are_those_of_each_image_alone(model: nn.Module) -> None:
    check_against_each_image_alone(model, data_of(model, SIZES, BOXES))


def test_an_image_without_boxes(model: nn.Module) -> None:
    data = data_of(model, SIZES[:2], [0, 3])
    with capture_per_image_losses(model, shares=True) as captured:
        run(model, data)
    assert captured.losses['loss_bbox'][0] == 0
    assert captured.losses['loss_rpn_bbox'][0] == 0
    assert captured.losses['loss_cls'].isfinite().all()


@pytest.mark.parametrize('boxes', [BOXES, [0, 0, 5, 1]])
def test_shares_add_up(model: nn.Module, boxes: list[int]) -> None:
    model.train()
    data = data_of(model, SIZES, boxes)
    with capture_per_image_losses(model, shares=True) as captured:
        losses = run(model, data)
    for term, share in captured.shares.items():
        torch.testing.assert_close(
            share.sum(), total(losses[term]), rtol=1e-5, atol=1e-8
        )


def test_gradient_of_the_summed_shares_is_the_plain_one(
    model: nn.Module,
) -> None:
    model.train()
    data = data_of(model, SIZES, BOXES)
    twin = copy.deepcopy(model)
    plain = run(twin, data)
    sum(total(plain[term]) for term in TERMS).backward()
    with capture_per_image_losses(model, shares=True) as captured:
        run(model, data)
    sum(share.sum() for share in captured.shares.values()).backward()
    for ours, theirs in zip(
        model.parameters(), twin.parameters(), strict=True
    ):
        torch.testing.assert_close(
            ours.grad, theirs.grad, rtol=1e-4, atol=1e-6
        )


@pytest.mark.parametrize('shares', [False, True])
def test_forward_loss_and_random_state_are_untouched(
    model: nn.Module, shares: bool
) -> None:
    model.train()
    data = data_of(model, SIZES, BOXES)
    twin = copy.deepcopy(model)
    plain = run(twin, data)
    state = torch.get_rng_state()
    with capture_per_image_losses(model, shares=shares):
        captured = run(model, data)
    assert torch.equal(torch.get_rng_state(), state)
    assert list(captured) == list(plain)
    for term in plain:
        assert torch.equal(total(captured[term]), total(plain[term]))
    for ours, theirs in zip(model.buffers(), twin.buffers(), strict=True):
        assert torch.equal(ours, theirs)


def test_everything_is_restored_also_after_an_exception(
    model: nn.Module,
) -> None:
    data = data_of(model, SIZES, BOXES)
    with capture_per_image_losses(model):
        assert 'loss_by_feat' in patched(model)
        run(model, data)
    assert patched(model) == []

    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError('inside a loss')

    model.roi_head.bbox_head.loss_cls.register_forward_hook(fail)
    with (
        pytest.raises(RuntimeError, match='inside a loss'),
        capture_per_image_losses(model, shares=True),
    ):
        run(model, data)
    assert patched(model) == []
    assert not any(m._forward_pre_hooks for m in model.modules())


def test_unsupported_heads_are_named_with_what_is_supported(
    model: nn.Module,
) -> None:
    class OwnRoIHead(StandardRoIHead):
        def bbox_loss(self, *args: Any) -> dict:
            return super().bbox_loss(*args)

    model.roi_head.__class__ = OwnRoIHead
    message = (
        'no per-image losses for roi_head=OwnRoIHead; '
        'supported heads: .*RPNHead, .*StandardRoIHead'
    )
    with pytest.raises(UnsupportedModelError, match=message):
        check_supported(model)


def test_a_loss_outside_the_heads_is_refused(model: nn.Module) -> None:
    original = model.loss

    def loss(*args: Any) -> dict:
        return original(*args) | {'loss_extra': torch.zeros(())}

    model.loss = loss
    data = data_of(model, SIZES, BOXES)
    with (
        pytest.raises(UnsupportedModelError, match='computes loss_extra'),
        capture_per_image_losses(model),
    ):
        run(model, data)


def test_a_batch_without_any_roi(model: nn.Module) -> None:
    """No boxes and no proposals: mmdet omits loss_cls."""
    data = data_of(model, SIZES[:2], [0, 0])
    model.train_cfg.rpn_proposal.min_bbox_size = 10**6
    with capture_per_image_losses(model, shares=True) as captured:
        losses = run(model, data)
    assert 'loss_cls' not in losses
    assert list(captured.losses) == [
        'loss_rpn_cls',
        'loss_rpn_bbox',
        'loss_bbox',
    ]
    assert captured.losses['loss_bbox'].tolist() == [0, 0]


def test_half_precision_outputs_are_scored_in_float32(
    model: nn.Module,
) -> None:
    """500 RoIs cannot be counted in bfloat16."""
    config = faster_rcnn_config()
    config.train_cfg.rcnn.sampler.num = 301
    model = build(config).eval()
    head = model.roi_head.bbox_head
    forward = head.forward
    data = data_of(model, SIZES, BOXES)

    def half(x: Tensor) -> tuple[Tensor, ...]:
        return tuple(out.bfloat16() for out in forward(x))

    def rounded(x: Tensor) -> tuple[Tensor, ...]:
        return tuple(out.bfloat16().float() for out in forward(x))

    head.forward = half
    with capture_per_image_losses(model) as captured:
        run(model, data)
    head.forward = rounded
    with capture_per_image_losses(model) as expected:
        run(model, data)
    for term in TERMS:
        assert captured.losses[term].dtype == torch.float32
        torch.testing.assert_close(
            captured.losses[term], expected.losses[term], rtol=5e-3, atol=1e-5
        )


def test_a_loss_of_several_terms_is_refused() -> None:
    config = faster_rcnn_config()
    config.roi_head.bbox_head.loss_cls = dict(type='SeesawLoss', num_classes=4)
    config.roi_head.bbox_head.cls_predictor_cfg = dict(type='NormedLinear')
    model = build(config)
    data = data_of(model, SIZES, BOXES)
    with (
        pytest.raises(
            UnsupportedModelError, match='computes loss_cls_objectness'
        ),
        capture_per_image_losses(model),
    ):
        run(model, data)


@pytest.mark.parametrize(
    ('part', 'term', 'loss'),
    [
        ('rpn_head', 'loss_bbox', dict(type='SmoothL1Loss', loss_weight=2.0)),
        ('roi_head', 'loss_bbox', dict(type='GIoULoss', loss_weight=3.0)),
        ('rpn_head', 'loss_cls', dict(type='FocalLoss', use_sigmoid=True)),
        (
            'roi_head',
            'loss_cls',
            dict(type='CrossEntropyLoss', class_weight=[1.0, 2, 0, 1, 0.5]),
        ),
    ],
)
@pytest.mark.usefixtures('seeded_draws')
def test_other_losses(part: str, term: str, loss: dict) -> None:
    config = faster_rcnn_config()
    head = config[part] if part == 'rpn_head' else config[part].bbox_head
    head[term] = loss
    if loss['type'] == 'GIoULoss':
        head.reg_decoded_bbox = True
    model = build(config).eval()
    data = data_of(model, SIZES, BOXES)
    check_against_each_image_alone(model, data)


def test_a_subclass_that_changes_the_loss_is_refused(model: nn.Module) -> None:
    class OtherLoss(type(model.rpn_head)):
        def loss_by_feat(self, *args: Any, **kwargs: Any) -> dict:
            return super().loss_by_feat(*args, **kwargs)

    class SameLoss(type(model.rpn_head)):
        pass

    model.rpn_head.__class__ = SameLoss
    check_supported(model)
    model.rpn_head.__class__ = OtherLoss
    with pytest.raises(UnsupportedModelError, match='rpn_head=OtherLoss'):
        check_supported(model)


def test_nested_captures_see_the_same(model: nn.Module) -> None:
    data = data_of(model, SIZES, BOXES)
    with (
        capture_per_image_losses(model) as outer,
        capture_per_image_losses(model) as inner,
    ):
        run(model, data)
    assert list(outer.losses) == list(inner.losses) == TERMS
    for term in TERMS:
        assert torch.equal(outer.losses[term], inner.losses[term])


def test_a_model_that_multiplies_its_batch_is_refused(
    model: nn.Module,
) -> None:
    """Like TridentNet, whose heads get every image three times."""
    loss = model.rpn_head.loss_and_predict

    def thrice(
        feats: tuple[Tensor, ...], samples: list, *args: Any, **kwargs: Any
    ) -> tuple:
        feats = tuple(torch.cat([level] * 3) for level in feats)
        losses, results = loss(feats, samples * 3, *args, **kwargs)
        return losses, results[: len(samples)]

    model.rpn_head.loss_and_predict = thrice
    with (
        capture_per_image_losses(model),
        pytest.raises(
            UnsupportedModelError, match=r'of \[4, 12\] images from'
        ),
    ):
        run(model, data_of(model, SIZES, BOXES))
