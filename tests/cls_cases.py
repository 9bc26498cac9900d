"""Heads and losses of classifiers whose losses can be captured."""

from mmpretrain.registry import MODELS
from torch import nn

from small_cls import (
    CHANNELS,
    CLASSES,
    build_classifier,
    cls_batch,
    cls_head_config,
)

IMAGES = 9
WEIGHTS = [0.2, 1.0, 3.0, 0.7, 1.5]
CE = dict(type='CrossEntropyLoss')
BCE = CE | dict(use_sigmoid=True)
SMOOTH = dict(type='LabelSmoothLoss', label_smooth_val=0.1)
FOCAL = dict(type='FocalLoss')
ASYMMETRIC = dict(type='AsymmetricLoss')
SEESAW = dict(type='SeesawLoss', num_classes=CLASSES)

# name -> loss, kind of label
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
# name -> head, backbone, kind of label
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
}
# mmpretrain 1.2.0 has no regression.
HAS_REGRESSION = 'LinearRegressionHead' in MODELS.module_dict
if HAS_REGRESSION:
    regression = cls_head_config(type='LinearRegressionHead')
    HEADS['regression'] = (regression, 'vector', 'score')
CASES = [*LOSSES, *HEADS]


def model_and_data(name: str) -> tuple[nn.Module, dict]:
    """Model and data of a case of LOSSES or HEADS."""
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
