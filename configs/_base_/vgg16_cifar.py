"""VGG-16 for 32x32 images: convolutions with BatchNorm, one linear layer.

The three linear layers of mmpretrain's VGG need 224x224 and have dropout,
which the paper does not use. Five pooling layers reduce 32x32 to 1x1.
"""

_base_ = 'mmpretrain::_base_/models/resnet18_cifar.py'

model = dict(
    backbone=dict(
        _delete_=True, type='VGG', depth=16, norm_cfg=dict(type='BN')
    )
)
