"""Heads and losses of segmentors whose losses can be captured."""

import copy
from typing import Any

import pytest
from torch import nn

from small_seg import (
    build_segmentor,
    head_config,
    seg_batch,
    segmentor_config,
)

MARKS = [
    pytest.mark.filterwarnings('ignore:Default ..avg_non_ignore'),
    pytest.mark.filterwarnings('ignore:..build_pixel_sampler'),
    pytest.mark.usefixtures('focal_loss_on_cpu'),
]
# Padded to 32x48; the last image has only a few valid pixels.
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


def ohem(**changes: Any) -> dict:
    """The threshold or the minimum number decides, in one case each."""
    return dict(type='OhemCrossEntropy', thres=0.2, min_kept=700) | changes


def boundary(**changes: Any) -> dict:
    return dict(type='BoundaryLoss', loss_weight=5.0) | changes


def knet(loss: Any) -> dict:
    """Two stages of updated kernels."""
    update = dict(
        type='KernelUpdateHead',
        num_classes=4,
        num_heads=2,
        feedforward_channels=16,
        in_channels=8,
        out_channels=8,
        dropout=0.0,
        ffn_act_cfg=dict(type='ReLU', inplace=True),
        feat_transform_cfg=dict(conv_cfg=dict(type='Conv2d'), act_cfg=None),
        kernel_updator_cfg=dict(
            type='KernelUpdator',
            in_channels=8,
            feat_channels=8,
            out_channels=8,
            act_cfg=dict(type='ReLU', inplace=True),
            norm_cfg=dict(type='LN'),
        ),
    )
    return dict(
        type='IterativeDecodeHead',
        num_stages=2,
        kernel_generate_head=head_config(loss),
        kernel_update_head=[update, update],
    )


def one_channel(loss: Any, **changes: Any) -> dict:
    """A head with one output channel for losses on binary maps."""
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
    'knet': knet(SAME_NAME),
    'ddr': head_config(
        [ohem(class_weight=WEIGHTS), ohem(loss_weight=0.4, thres=0.9)],
        type='DDRHead',
    ),
    'stdc': one_channel([ce(use_sigmoid=True), dice()], type='STDCHead'),
}
# Heads that compute a loss's inputs only in training mode.
TRAINING_OUTPUTS = ('DDRHead', 'IterativeDecodeHead', 'PIDHead')
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
    'huasdorff': segmentor_config(
        head_config(dict(type='HuasdorffDisstanceLoss', loss_weight=0.5))
    ),
    'pid': segmentor_config(
        head_config(
            [ce(loss_weight=0.4), ohem(), boundary(), ohem(thres=0.9)],
            type='PIDHead',
        ),
        neck=dict(type='FirstAgain'),
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
    'knet': [f'decode.loss_ce.s{stage}' for stage in range(3)],
    'ddr': ['decode.loss_context', 'decode.loss_spatial'],
    'pid': [
        'decode.loss_sem_p',
        'decode.loss_sem_i',
        'decode.loss_bd',
        'decode.loss_sem_bd',
    ],
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


def build(config: dict) -> nn.Module:
    """Build it with BatchNorm in evaluation mode, so images do not mix."""
    model = build_segmentor(copy.deepcopy(config)).eval()
    head = config['decode_head']
    if isinstance(head, dict) and head['type'] in TRAINING_OUTPUTS:
        model.decode_head.training = True  # not what is in it
    return model


def data_of(
    model: nn.Module, sizes: list = SIZES, parts: list = PARTS
) -> dict:
    data = seg_batch(sizes, parts, classes=model.num_classes)
    return model.data_preprocessor(data, True)
