_base_ = '../faster_rcnn_voc.py'

default_hooks = dict(
    early_stopping=dict(
        type='EarlyStoppingHook',
        monitor='pascal_voc/mAP',
        rule='greater',
        min_delta=0.0,
        patience=5,
    )
)
