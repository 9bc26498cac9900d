_base_ = './vgg16_cifar10_program.py'

custom_imports = dict(imports=['ies_mm.engine'], allow_failed_imports=False)
default_hooks = dict(ies=dict(type='IESHook', delta=1e-3))
train_dataloader = dict(sampler=dict(type='IESSampler'))
