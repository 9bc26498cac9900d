_base_ = '../ies_deeplabv3_voc.py'

# 14% saved, after six epochs as in IES.
default_hooks = dict(
    ies=dict(_delete_=True, type='RandomRemovalHook', ratio=0.1591, begin=6)
)
