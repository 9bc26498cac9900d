_base_ = '../ies_deeplabv3_r18_camvid.py'

default_hooks = dict(
    ies=dict(_delete_=True, type='InfoBatchHook', keep_history=True)
)
