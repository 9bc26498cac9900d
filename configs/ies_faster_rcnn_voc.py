_base_ = './faster_rcnn_voc.py'

custom_imports = dict(
    # A list replaces the base's, so mmpretrain's VGG is listed again.
    imports=['mmpretrain.models', 'ies_mm.engine'],
    allow_failed_imports=False,
)
# What the paper saves on VOC2007; it gives no delta for detection.
default_hooks = dict(ies=dict(type='IESHook', saved=0.2))
train_dataloader = dict(sampler=dict(type='IESSampler'))
