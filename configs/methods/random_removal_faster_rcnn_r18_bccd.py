_base_ = '../ies_faster_rcnn_r18_bccd.py'

default_hooks = dict(
    ies=dict(
        _delete_=True,
        type='RandomRemovalHook',
        ratio=0.18,
        keep_history=True,
    )
)
