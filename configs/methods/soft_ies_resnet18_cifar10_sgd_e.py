_base_ = '../cifar/ies_resnet18_cifar10_sgd_e.py'

default_hooks = dict(ies=dict(_delete_=True, type='SoftIESHook', saved=0.5))
