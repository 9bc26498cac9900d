"""DenseNet-121 on CIFAR-100 with Adam.

The stem of mmpretrain's DenseNet downsamples by four, which a config cannot
change; 32x32 would reach the first block as 8x8. So the cropped and flipped
images are enlarged to 128x128: the blocks then work at 32, 16, 8 and 4, as in
DenseNets for CIFAR.
"""

_base_ = [
    'mmpretrain::_base_/models/densenet/densenet121.py',
    '../_base_/cifar100_bs64.py',
    '../_base_/cifar_run.py',
    '../_base_/adam.py',
]

model = dict(head=dict(num_classes=100))
train_pipeline = [
    dict(type='RandomCrop', crop_size=32, padding=4),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='Resize', scale=128),
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='Resize', scale=128), dict(type='PackInputs')]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
