_base_ = './resnet14_cifar10_2k.py'

custom_imports = dict(imports=['ies_mm.engine'], allow_failed_imports=False)
default_hooks = dict(
    ies=dict(
        type='IESHook',
        delta=dict(type='Budget', saved=0.4),
        keep_history=True,
    )
)
train_dataloader = dict(sampler=dict(type='IESSampler'))
