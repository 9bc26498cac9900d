_base_ = '../ies_faster_rcnn_r18_demo.py'

default_hooks = dict(
    ies=dict(_delete_=True, type='SoftIESHook', saved=0.2, keep_history=True)
)
