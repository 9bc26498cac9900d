_base_ = './faster_rcnn_r18_demo.py'

custom_imports = dict(imports=['ies_mm.engine'], allow_failed_imports=False)
default_hooks = dict(
    ies=dict(
        type='IESHook',
        delta=dict(type='Budget', saved=0.2),
        keep_history=True,
    )
)
train_dataloader = dict(sampler=dict(type='IESSampler'))
