# MMEngine's hook; `tools/train.py --method` adds the monitored metric.
default_hooks = dict(
    early_stopping=dict(
        type='EarlyStoppingHook',
        rule='greater',
        min_delta=0.0,
        patience=5,
    )
)
