_base_ = '../ies_faster_rcnn_voc.py'

# 20% saved, after six epochs as in IES.
default_hooks = dict(
    ies=dict(_delete_=True, type='RandomRemovalHook', ratio=0.25, begin=6)
)
