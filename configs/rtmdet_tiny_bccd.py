"""RTMDet-tiny on BCCD, from scratch, at a quarter of its image size.

The stock pipeline with Mosaic and MixUp, 640 pixels made 160. Needs
``data/bccd/VOC2007``; docs/results.md says where to get the images.
"""

_base_ = 'mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py'

max_epochs = 48
unmixed_epochs = 8
base_lr = 1e-3
size = (160, 160)
backend_args = None
norm_cfg = dict(type='BN')
model = dict(
    backbone=dict(init_cfg=None, norm_cfg=norm_cfg),
    neck=dict(norm_cfg=norm_cfg),
    bbox_head=dict(num_classes=3, norm_cfg=norm_cfg),
)

grey = (114, 114, 114)
train_pipeline = [
    dict(type='LoadImageFromFile', backend_args=backend_args),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='CachedMosaic',
        img_scale=size,
        pad_val=114.0,
        max_cached_images=20,
        random_pop=False,
    ),
    dict(
        type='RandomResize',
        scale=(320, 320),
        ratio_range=(0.5, 2.0),
        keep_ratio=True,
    ),
    dict(type='RandomCrop', crop_size=size),
    dict(type='YOLOXHSVRandomAug'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='Pad', size=size, pad_val=dict(img=grey)),
    dict(
        type='CachedMixUp',
        img_scale=size,
        ratio_range=(1.0, 1.0),
        max_cached_images=10,
        random_pop=False,
        pad_val=grey,
        prob=0.5,
    ),
    dict(type='PackDetInputs'),
]
unmixed_pipeline = [
    dict(type='LoadImageFromFile', backend_args=backend_args),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='RandomResize',
        scale=size,
        ratio_range=(0.5, 2.0),
        keep_ratio=True,
    ),
    dict(type='RandomCrop', crop_size=size),
    dict(type='YOLOXHSVRandomAug'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='Pad', size=size, pad_val=dict(img=grey)),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile', backend_args=backend_args),
    dict(type='Resize', scale=size, keep_ratio=True),
    dict(type='Pad', size=size, pad_val=dict(img=grey)),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=(
            'img_id',
            'img_path',
            'ori_shape',
            'img_shape',
            'scale_factor',
        ),
    ),
]
bccd = dict(
    _delete_=True,
    type='VOCDataset',
    data_root='data/bccd/',
    data_prefix=dict(sub_data_root='VOC2007/'),
    metainfo=dict(classes=('RBC', 'WBC', 'Platelets')),
)
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    dataset=dict(
        ann_file='VOC2007/ImageSets/Main/train.txt',
        filter_cfg=dict(filter_empty_gt=False, bbox_min_size=4),
        pipeline=train_pipeline,
        **bccd,
    ),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=1,
    dataset=dict(
        ann_file='VOC2007/ImageSets/Main/val.txt',
        test_mode=True,
        pipeline=test_pipeline,
        **bccd,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    _delete_=True, type='VOCMetric', metric='mAP', eval_mode='11points'
)
test_evaluator = val_evaluator

train_cfg = dict(
    max_epochs=max_epochs, val_interval=24, dynamic_intervals=None
)
optim_wrapper = dict(optimizer=dict(lr=base_lr))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-5, by_epoch=False, begin=0, end=50),
    dict(
        type='CosineAnnealingLR',
        eta_min=base_lr * 0.05,
        begin=max_epochs // 2,
        end=max_epochs,
        T_max=max_epochs // 2,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
default_hooks = dict(
    logger=dict(interval=10), checkpoint=dict(interval=1, max_keep_ckpts=1)
)
custom_hooks = [
    dict(
        type='EMAHook',
        ema_type='ExpMomentumEMA',
        momentum=0.002,
        update_buffers=True,
        priority=49,
    ),
    dict(
        type='PipelineSwitchHook',
        switch_epoch=max_epochs - unmixed_epochs,
        switch_pipeline=unmixed_pipeline,
    ),
]
