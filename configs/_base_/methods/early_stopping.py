# MMEngine's; `tools/train.py --method` adds the metric that it monitors.
default_hooks = dict(
    early_stopping=dict(
        type='EarlyStoppingHook',
        rule='greater',
        min_delta=0.0,
        patience=5,
    )
)
