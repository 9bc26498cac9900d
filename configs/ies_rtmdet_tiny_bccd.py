_base_ = './rtmdet_tiny_bccd.py'

custom_imports = dict(imports=['ies_mm.engine'], allow_failed_imports=False)
default_hooks = dict(ies=dict(type='IESHook', saved=0.2))
train_dataloader = dict(sampler=dict(type='IESSampler'))
