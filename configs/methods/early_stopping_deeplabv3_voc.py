_base_ = '../deeplabv3_voc.py'

default_hooks = dict(
    early_stopping=dict(
        type='EarlyStoppingHook',
        monitor='mIoU',
        rule='greater',
        min_delta=0.0,
        patience=5,
    )
)
