"""The long-tailed training with class-balanced sampling, as a control.

Repeats images of rare classes (``ClassBalancedDataset``): 3684 images an
epoch instead of 2800.
"""

_base_ = './resnet14_cifar10_lt.py'

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ClassBalancedDataset',
        oversample_thr=0.1,
        dataset={{_base_.train_dataloader.dataset}},
    )
)
