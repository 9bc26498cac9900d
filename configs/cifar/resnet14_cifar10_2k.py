"""The small residual network on 2000 images, which it learns completely.

Needs ``data/cifar10_2k/train/<class>/*.jpg``, the first 200 training images of
every class, and the test images of the 10k config; see docs/results.md.
"""

_base_ = './resnet14_cifar10_10k.py'

max_epochs = 60
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    dataset=dict(data_root='data/cifar10_2k/train', pipeline=train_pipeline)
)
train_cfg = dict(max_epochs=max_epochs, val_interval=20)
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs,
        end=max_epochs,
        by_epoch=True,
    )
]
