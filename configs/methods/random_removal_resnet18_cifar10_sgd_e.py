_base_ = '../cifar/ies_resnet18_cifar10_sgd_e.py'

# 50% saved, after six epochs as in IES.
default_hooks = dict(
    ies=dict(_delete_=True, type='RandomRemovalHook', ratio=0.5155, begin=6)
)
