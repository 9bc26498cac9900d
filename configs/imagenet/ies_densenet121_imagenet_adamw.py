_base_ = './densenet121_imagenet_adamw.py'

custom_imports = dict(imports=['ies_mm.engine'], allow_failed_imports=False)
default_hooks = dict(ies=dict(type='IESHook', delta=1.0, anneal=0.1))
train_dataloader = dict(sampler=dict(type='IESSampler'))
