"""Small segmentors that match masks to classes."""

from typing import Any

from mmseg.models.decode_heads import SideAdapterCLIPHead
from mmseg.registry import MODELS
from torch import Tensor, nn

from small_seg import CLASSES, NORM, segmentor_config

QUERIES, EMBED = 6, 16
WEIGHTS = [1.0] * CLASSES + [0.1]
ATTENTION = dict(embed_dims=EMBED, num_heads=2, batch_first=True)
FFN = dict(
    embed_dims=EMBED,
    feedforward_channels=16,
    num_fcs=2,
    act_cfg=dict(type='ReLU', inplace=True),
)
POINTS = dict(
    num_points=40, oversample_ratio=3.0, importance_sample_ratio=0.75
)
FOUR_STAGES = dict(
    type='ResNetV1c',
    depth=18,
    stem_channels=4,
    base_channels=4,
    norm_cfg=NORM,
)


def mm(kind: str, **settings: Any) -> dict:
    return dict(type=f'mmdet.{kind}', **settings)


def _matching(mask_cost: dict) -> dict:
    costs = [
        mm('ClassificationCost', weight=2.0),
        mask_cost,
        mm('DiceCost', weight=3.0, pred_act=True, eps=1.0),
    ]
    return dict(
        assigner=mm('HungarianAssigner', match_costs=costs),
        sampler=mm('MaskPseudoSampler'),
    )


def _head(kind: str, **settings: Any) -> dict:
    layer = dict(self_attn_cfg=ATTENTION, cross_attn_cfg=ATTENTION)
    return dict(
        type=kind,
        in_channels=[4, 8, 16, 32],
        feat_channels=EMBED,
        out_channels=EMBED,
        num_classes=CLASSES,
        num_queries=QUERIES,
        enforce_decoder_input_project=False,
        positional_encoding=dict(num_feats=EMBED // 2, normalize=True),
        transformer_decoder=dict(
            return_intermediate=True,
            num_layers=2,
            layer_cfg=layer | dict(ffn_cfg=FFN),
            init_cfg=None,
        ),
        loss_cls=mm('CrossEntropyLoss', class_weight=WEIGHTS),
        loss_dice=mm(
            'DiceLoss', use_sigmoid=True, activate=True, naive_dice=True
        ),
        **settings,
    )


MASK_FORMER = _head(
    'MaskFormerHead',
    pixel_decoder=mm(
        'PixelDecoder',
        norm_cfg=dict(type='GN', num_groups=4),
        act_cfg=dict(type='ReLU'),
    ),
    loss_mask=mm('FocalLoss', loss_weight=20.0),
    train_cfg=_matching(mm('FocalLossCost', weight=20.0, binary_input=True)),
)
MASK2FORMER = _head(
    'Mask2FormerHead',
    strides=[4, 8, 16, 32],
    num_transformer_feat_level=3,
    pixel_decoder=mm(
        'MSDeformAttnPixelDecoder',
        num_outs=3,
        norm_cfg=dict(type='GN', num_groups=4),
        act_cfg=dict(type='ReLU'),
        encoder=dict(
            num_layers=1,
            layer_cfg=dict(
                self_attn_cfg=ATTENTION | dict(num_levels=3, num_points=2),
                ffn_cfg=FFN,
            ),
        ),
        positional_encoding=dict(num_feats=EMBED // 2, normalize=True),
    ),
    loss_mask=mm('CrossEntropyLoss', use_sigmoid=True, loss_weight=5.0),
    train_cfg=POINTS
    | _matching(mm('CrossEntropyLossCost', weight=5.0, use_sigmoid=True)),
)


@MODELS.register_module()
class SmallSAN(SideAdapterCLIPHead):
    """SAN's losses on masks and scores made without CLIP."""

    def __init__(self, loss_decode: list, train_cfg: dict) -> None:
        super(SideAdapterCLIPHead, self).__init__(
            4, EMBED, num_classes=CLASSES, loss_decode=loss_decode
        )
        # What SAN's own __init__ builds from its train_cfg.
        from mmseg.utils import MatchMasks

        self.train_cfg = train_cfg
        self.deep_supervision_idxs = [7]
        self.match_masks = MatchMasks(
            num_points=train_cfg['num_points'],
            num_queries=QUERIES,
            num_classes=CLASSES,
            assigner=train_cfg['assigner'],
        )
        self.masks = nn.Conv2d(4, 2 * QUERIES, 1)
        self.scores = nn.Linear(4, 2 * QUERIES * (CLASSES + 1))

    def forward(
        self, inputs: tuple, deep_supervision_idxs: list
    ) -> tuple[list[Tensor], list[Tensor]]:
        masks = self.masks(inputs[0]).chunk(2, dim=1)
        scores = self.scores(inputs[0].mean(dim=(2, 3)))
        scores = scores.reshape(len(masks[0]), 2, QUERIES, CLASSES + 1)
        return list(masks), list(scores.unbind(dim=1))


def _san_loss(kind: str, name: str, **settings: Any) -> dict:
    return dict(type=kind, loss_name=name, **settings)


SAN = dict(
    type='SmallSAN',
    loss_decode=[
        _san_loss('CrossEntropyLoss', 'loss_cls_ce', class_weight=WEIGHTS),
        _san_loss('CrossEntropyLoss', 'loss_mask_ce', use_sigmoid=True),
        _san_loss(
            'DiceLoss', 'loss_mask_dice', ignore_index=None, naive_dice=True
        ),
    ],
    train_cfg=POINTS
    | dict(
        assigner=dict(
            type='HungarianAssigner',
            match_costs=[
                dict(type='ClassificationCost', weight=2.0),
                dict(
                    type='CrossEntropyLossCost', weight=5.0, use_sigmoid=True
                ),
                dict(type='DiceCost', weight=3.0, pred_act=True, eps=1.0),
            ],
        )
    ),
)
CASES = {
    'mask_former': segmentor_config(MASK_FORMER, backbone=FOUR_STAGES),
    'mask2former': segmentor_config(MASK2FORMER, backbone=FOUR_STAGES),
    'san': segmentor_config(SAN),
}
