"""Transfer to BCCD: only the RoI head is trained, all else as it was loaded.

As in the paper's appendix B.4: Adam, a constant rate, no augmentation. Give
the pretrained detector and the number of epochs on the command line::

    --cfg-options load_from=CHECKPOINT train_cfg.max_epochs=5
"""

_base_ = '../faster_rcnn_r18_bccd.py'

custom_imports = dict(imports=['ies_mm.engine'], allow_failed_imports=False)
custom_hooks = [dict(type='HeadOnlyHook', head='roi_head')]
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(160, 120), keep_ratio=True),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
train_cfg = dict(max_epochs=1, val_interval=1)
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='Adam', lr=1e-3),
    clip_grad=dict(max_norm=10),
)
param_scheduler = []
