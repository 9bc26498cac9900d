_base_ = '../cifar/ies_resnet14_cifar10_lt.py'

# Begins when IES can, and leaves out as many as IES with this budget.
default_hooks = dict(
    ies=dict(
        _delete_=True,
        type='RandomRemovalHook',
        ratio=dict(type='Budget', saved=0.4),
        begin=6,
        keep_history=True,
    )
)
