_base_ = './faster_rcnn_r18_bccd.py'

default_hooks = dict(ies=dict(type='IESHook', delta=0.12, keep_history=True))
train_dataloader = dict(sampler=dict(type='IESSampler'))
