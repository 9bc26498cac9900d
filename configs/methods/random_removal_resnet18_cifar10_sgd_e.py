_base_ = '../cifar/ies_resnet18_cifar10_sgd_e.py'

# Begins when IES can, and leaves out as many as IES with this budget.
default_hooks = dict(
    ies=dict(
        _delete_=True,
        type='RandomRemovalHook',
        ratio=dict(type='Budget', saved=0.5),
        begin=6,
    )
)
