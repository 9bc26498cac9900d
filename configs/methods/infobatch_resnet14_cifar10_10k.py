_base_ = '../cifar/ies_resnet14_cifar10_10k.py'

default_hooks = dict(
    ies=dict(_delete_=True, type='InfoBatchHook', keep_history=True)
)
