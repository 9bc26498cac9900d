_base_ = './resnet14_cifar10_lt.py'

custom_imports = dict(imports=['ies_mm.engine'], allow_failed_imports=False)
# The mean of the last five losses; docs/results.md explains why.
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
