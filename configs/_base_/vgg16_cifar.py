"""VGG-16 for images of 32x32: the convolutions with BatchNorm, one layer.

mmpretrain's own three layers of VGG want 224x224 and bring dropout, which the
paper leaves out. Five poolings make 1x1 of 32x32.
"""

_base_ = 'mmpretrain::_base_/models/resnet18_cifar.py'

model = dict(
    backbone=dict(
        _delete_=True, type='VGG', depth=16, norm_cfg=dict(type='BN')
    )
)
