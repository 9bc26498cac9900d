_base_ = './deeplabv3_r18_camvid.py'

custom_imports = dict(imports=['ies_mm.engine'], allow_failed_imports=False)
default_hooks = dict(ies=dict(type='IESHook', delta=0.03, keep_history=True))
train_dataloader = dict(sampler=dict(type='IESSampler'))
