"""Small models and batches shared by the tests."""

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

SIZE = (96, 128)


def faster_rcnn_config() -> ConfigDict:
    """A Faster R-CNN R-18-FPN with few channels, BatchNorm trainable."""
    coder = dict(type='DeltaXYWHBBoxCoder')
    assigner = dict(
        type='MaxIoUAssigner',
        pos_iou_thr=0.5,
        neg_iou_thr=0.3,
        min_pos_iou=0.3,
        ignore_iof_thr=-1,
    )
    sampler = dict(
        type='RandomSampler',
        num=64,
        pos_fraction=0.5,
        neg_pos_ub=-1,
        add_gt_as_proposals=False,
    )
    nms = dict(
        nms_pre=200,
        max_per_img=100,
        nms=dict(type='nms', iou_threshold=0.7),
        min_bbox_size=0,
    )
    return ConfigDict(
        type='FasterRCNN',
        data_preprocessor=dict(
            type='DetDataPreprocessor',
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
            pad_size_divisor=32,
        ),
        backbone=dict(
            type='ResNet',
            depth=18,
            base_channels=8,
            stem_channels=8,
            norm_cfg=dict(type='BN', requires_grad=True),
            norm_eval=False,
            style='pytorch',
        ),
        neck=dict(
            type='FPN',
            in_channels=[8, 16, 32, 64],
            out_channels=16,
            num_outs=5,
        ),
        rpn_head=dict(
            type='RPNHead',
            in_channels=16,
            feat_channels=16,
            anchor_generator=dict(
                type='AnchorGenerator',
                scales=[4],
                ratios=[0.5, 1.0, 2.0],
                strides=[4, 8, 16, 32, 64],
            ),
            bbox_coder=coder,
            loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=True),
            loss_bbox=dict(type='L1Loss'),
        ),
        roi_head=dict(
            type='StandardRoIHead',
            bbox_roi_extractor=dict(
                type='SingleRoIExtractor',
                roi_layer=dict(type='RoIAlign', output_size=7),
                out_channels=16,
                featmap_strides=[4, 8, 16, 32],
            ),
            bbox_head=dict(
                type='Shared2FCBBoxHead',
                in_channels=16,
                fc_out_channels=32,
                roi_feat_size=7,
                num_classes=4,
                bbox_coder=coder,
                loss_cls=dict(type='CrossEntropyLoss'),
                loss_bbox=dict(type='L1Loss'),
            ),
        ),
        train_cfg=dict(
            rpn=dict(
                assigner=assigner,
                sampler=sampler,
                allowed_border=-1,
                pos_weight=-1,
                debug=False,
            ),
            rpn_proposal=nms,
            rcnn=dict(
                assigner=assigner,
                sampler=sampler | dict(add_gt_as_proposals=True),
                pos_weight=-1,
                debug=False,
            ),
        ),
        test_cfg=dict(
            rpn=nms,
            rcnn=dict(
                score_thr=0.05,
                nms=dict(type='nms', iou_threshold=0.5),
                max_per_img=100,
            ),
        ),
    )


def build(config: dict, seed: int = 0) -> torch.nn.Module:
    """Build an mmdet model with seeded random weights."""
    register_all_modules(init_default_scope=False)
    init_default_scope('mmdet')
    torch.manual_seed(seed)
    model = MODELS.build(config)
    model.init_weights()
    return model


def batch(
    sizes: list[tuple[int, int]], boxes: list[int], seed: int = 0
) -> dict:
    """A raw batch as a data loader yields it.

    Args:
        sizes (list): (height, width) of each image.
        boxes (list): Number of boxes of each image.
    """
    generator = torch.Generator().manual_seed(seed)
    inputs, samples = [], []
    for (height, width), count in zip(sizes, boxes, strict=True):
        shape = (3, height, width)
        inputs.append(
            torch.randint(
                0, 256, shape, generator=generator, dtype=torch.uint8
            )
        )
        corner = torch.rand(count, 2, generator=generator) * 0.5
        extent = torch.rand(count, 2, generator=generator) * 0.4 + 0.1
        scale = torch.tensor([width, height] * 2)
        bboxes = torch.cat([corner, corner + extent], 1) * scale
        labels = torch.randint(0, 4, (count,), generator=generator)
        sample = DetDataSample(
            metainfo=dict(
                img_shape=(height, width),
                ori_shape=(height, width),
                scale_factor=(1.0, 1.0),
            )
        )
        sample.gt_instances = InstanceData(bboxes=bboxes, labels=labels)
        sample.ignored_instances = InstanceData(
            bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long)
        )
        samples.append(sample)
    return dict(inputs=inputs, data_samples=samples)
