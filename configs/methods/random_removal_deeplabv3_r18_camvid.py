_base_ = '../ies_deeplabv3_r18_camvid.py'

default_hooks = dict(
    ies=dict(
        _delete_=True,
        type='RandomRemovalHook',
        ratio=0.226,
        keep_history=True,
    )
)
