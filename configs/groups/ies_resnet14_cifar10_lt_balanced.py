_base_ = './resnet14_cifar10_lt_balanced.py'

# As in ies_resnet14_cifar10_lt.py.
default_hooks = dict(
    ies=dict(
        type='IESHook',
        delta=dict(type='Budget', saved=0.4),
        order=0,
        window=5,
        keep_history=True,
    )
)
train_dataloader = dict(sampler=dict(type='IESSampler'))
