_base_ = '../ies_faster_rcnn_r18_demo.py'

# Begins when IES can, and leaves out as many as IES with this budget.
default_hooks = dict(
    ies=dict(
        _delete_=True,
        type='RandomRemovalHook',
        ratio=dict(type='Budget', saved=0.2),
        begin=6,
        keep_history=True,
    )
)
