"""VGG-16 on CIFAR-10 with the linear layers of the authors' program.

The paper's text has no dropout; its program has two wide linear layers with
dropout before the last one, and 33.6 instead of 14.7 million weights.
"""

_base_ = './vgg16_cifar10.py'

model = dict(
    head=dict(
        type='StackedLinearClsHead',
        mid_channels=[4096, 4096],
        dropout_rate=0.5,
    )
)
