_base_ = './deeplabv3_voc12aug_20k.py'

custom_imports = dict(imports=['ies_mm.engine'], allow_failed_imports=False)
# Not measured on VOC: look at a run with dry_run=True first (docs/configs.md).
default_hooks = dict(ies=dict(type='IESHook', delta=0.05))
train_dataloader = dict(sampler=dict(type='IESSampler'))
