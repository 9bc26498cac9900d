"""A small DeepLabv3 on CamVid (street scenes, in VOC2012 layout).

Needs ``data/camvid/VOC2012``; docs/results.md says where to get the images.
Trained from scratch, at 192x144.
"""

# MMEngine resolves 'mmseg::...' as mmsegmentation; the fork's name differs.
_base_ = [
    (
        f'{__import__("mmseg").__path__[0]}/.mim/configs/_base_/models/'
        'deeplabv3_r50-d8.py'
    ),
    './_base_/segmentor_epochs.py',
]

max_epochs = 40
norm_cfg = dict(type='BN', requires_grad=True)
model = dict(
    data_preprocessor=dict(size_divisor=16),
    pretrained=None,
    backbone=dict(
        depth=18, base_channels=16, stem_channels=16, norm_cfg=norm_cfg
    ),
    decode_head=dict(
        in_channels=128,
        channels=64,
        # Half of 12, 24, 36, since the feature map is only 24x18.
        dilations=(1, 6, 12, 18),
        num_classes=11,
        norm_cfg=norm_cfg,
    ),
    auxiliary_head=dict(
        in_channels=64, channels=32, num_classes=11, norm_cfg=norm_cfg
    ),
)

scale = (192, 144)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=scale, keep_ratio=True),
    # The segmentation map keeps the original image's size.
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
camvid = dict(
    type='BaseSegDataset',
    img_suffix='.jpg',
    seg_map_suffix='.png',
    data_root='data/camvid/VOC2012',
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
    metainfo=dict(
        classes=(
            'sky', 'building', 'pole', 'road', 'pavement', 'tree', 'sign',
            'fence', 'car', 'pedestrian', 'bicyclist',
        ),
        palette=[
            [128, 128, 128], [128, 0, 0], [192, 192, 128], [128, 64, 128],
            [0, 0, 192], [128, 128, 0], [192, 128, 128], [64, 64, 128],
            [64, 0, 128], [64, 64, 0], [0, 128, 192],
        ],
    ),
)  # fmt: skip
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        ann_file='ImageSets/Segmentation/train.txt',
        pipeline=train_pipeline,
        **camvid,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        ann_file='ImageSets/Segmentation/val.txt',
        pipeline=test_pipeline,
        **camvid,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator

train_cfg = dict(max_epochs=max_epochs, val_interval=4)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.01),
)
param_scheduler = [
    dict(
        type='PolyLR',
        power=0.9,
        eta_min=1e-5,
        begin=0,
        end=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    )
]
default_hooks = dict(logger=dict(interval=20))
