_base_ = './faster_rcnn_r50_fpn_voc.py'

custom_imports = dict(imports=['ies_mm.engine'], allow_failed_imports=False)
# What the paper saves on VOC2007 with VGG-16; not measured here.
default_hooks = dict(ies=dict(type='IESHook', saved=0.2))
train_dataloader = dict(sampler=dict(type='IESSampler'))
