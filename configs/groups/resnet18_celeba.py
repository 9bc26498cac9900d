"""ResNet-18 on CelebA: *Attractive*, by *Male* (table 14 of the paper).

Needs ``data/celeba`` in the layout of ``torchvision.datasets.CelebA``. The
paper gives network, dataset and attributes. Sizes, length and optimiser follow
its CIFAR trainings and common practice for CelebA.
"""

_base_ = [
    'mmpretrain::_base_/models/resnet18.py',
    'mmpretrain::_base_/default_runtime.py',
]

custom_imports = dict(imports=['ies_mm.engine'], allow_failed_imports=False)
data_preprocessor = dict(
    num_classes=2,
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
)
model = dict(head=dict(num_classes=2, topk=(1,)))

load = [
    dict(type='LoadImageFromFile'),
    dict(type='CenterCrop', crop_size=178),
    dict(type='Resize', scale=128),
]
train_pipeline = [
    *load,
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [*load, dict(type='PackInputs', meta_keys=('group',))]
loader = dict(
    batch_size=128,
    num_workers=4,
    persistent_workers=True,
    collate_fn=dict(type='default_collate'),
)
train_dataloader = dict(
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CelebAAttribute',
        data_root='data/celeba',
        split='train',
        pipeline=train_pipeline,
    ),
    **loader,
)
val_dataloader = dict(
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CelebAAttribute',
        data_root='data/celeba',
        split='val',
        pipeline=test_pipeline,
    ),
    **loader,
)
test_dataloader = val_dataloader
val_evaluator = [dict(type='Accuracy', topk=(1,)), dict(type='GroupMetric')]
test_evaluator = val_evaluator

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=30, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='Adam', lr=0.001)
)
param_scheduler = []
default_hooks = dict(checkpoint=dict(max_keep_ckpts=1))
