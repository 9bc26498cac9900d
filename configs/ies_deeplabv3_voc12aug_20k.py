_base_ = './deeplabv3_voc12aug_20k.py'

custom_imports = dict(imports=['ies_mm.engine'], allow_failed_imports=False)
# What the paper saves in 50 epochs of VOC2012; not measured here.
default_hooks = dict(ies=dict(type='IESHook', saved=0.14))
train_dataloader = dict(sampler=dict(type='IESSampler'))
