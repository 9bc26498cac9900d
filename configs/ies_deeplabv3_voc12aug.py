_base_ = './deeplabv3_voc12aug.py'

custom_imports = dict(imports=['ies_mm.engine'], allow_failed_imports=False)
# What the paper saves on VOC2012; it gives no delta for segmentation.
default_hooks = dict(ies=dict(type='IESHook', saved=0.14))
train_dataloader = dict(sampler=dict(type='IESSampler'))
