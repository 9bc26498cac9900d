_base_ = '../cifar/ies_resnet14_cifar10_10k.py'

default_hooks = dict(
    ies=dict(
        _delete_=True,
        type='RandomRemovalHook',
        ratio=0.298,
        keep_history=True,
    )
)
