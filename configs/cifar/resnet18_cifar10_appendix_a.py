"""ResNet-18 on CIFAR-10 with the augmentation of the paper's appendix A.

Pixels from 0 to 1 and rotations by up to 15 degrees. Appendix B and the
authors' program normalise by mean and deviation and do not rotate; see
resnet18_cifar10.py.
"""

_base_ = './resnet18_cifar10.py'

data_preprocessor = dict(mean=[0.0] * 3, std=[255.0] * 3)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='RandomCrop', crop_size=32, padding=4),
            dict(type='RandomFlip', prob=0.5, direction='horizontal'),
            # Uniform; half of the rotations are clockwise.
            dict(
                type='Rotate',
                magnitude_range=(0, 15),
                magnitude_std='inf',
                prob=1.0,
            ),
            dict(type='PackInputs'),
        ]
    )
)
