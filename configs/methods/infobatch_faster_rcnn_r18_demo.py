_base_ = '../ies_faster_rcnn_r18_demo.py'

default_hooks = dict(
    ies=dict(_delete_=True, type='InfoBatchHook', keep_history=True)
)
