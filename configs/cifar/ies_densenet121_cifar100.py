_base_ = './densenet121_cifar100.py'

custom_imports = dict(
    imports=['ies_mm.networks.densenet_cifar', 'ies_mm.engine'],
    allow_failed_imports=False,
)
default_hooks = dict(ies=dict(type='IESHook', delta=2e-3))
train_dataloader = dict(sampler=dict(type='IESSampler'))
