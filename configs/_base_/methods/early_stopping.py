# MMEngine's hook; `ies-mm train --method` adds the monitored metric.
default_hooks = dict(
    early_stopping=dict(
        type='EarlyStoppingHook',
        min_delta=0.0,
        patience=5,
    )
)
