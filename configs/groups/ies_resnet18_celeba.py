_base_ = './resnet18_celeba.py'

default_hooks = dict(ies=dict(type='IESHook', delta=1e-3))
train_dataloader = dict(sampler=dict(type='IESSampler'))
