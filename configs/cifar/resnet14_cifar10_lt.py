"""The small residual network on 2800 long-tailed images (CIFAR-10-LT).

The classes, sorted by name, have ``1000 * 50 ** (-k / 9)`` images, k from 0 to
9. Needs ``data/cifar10_lt/train/<class>/*.jpg``, the first images of every
class, and the test images of the 10k config; see docs/results.md.
"""

_base_ = './resnet14_cifar10_10k.py'

max_epochs = 60
train_dataloader = dict(dataset=dict(data_root='data/cifar10_lt/train'))
train_cfg = dict(max_epochs=max_epochs, val_interval=10)
param_scheduler = [
    dict(
        type='ExponentialLR',
        gamma=0.96 ** (200 / max_epochs),
        end=max_epochs,
        by_epoch=True,
    )
]
