_base_ = '../cifar/ies_resnet14_cifar10_2k.py'

default_hooks = dict(
    ies=dict(_delete_=True, type='SoftIESHook', saved=0.4, keep_history=True)
)
