# Re-checks pruned images by training on them, after 1, 2, 4, 8 epochs.
default_hooks = dict(
    ies=dict(
        type='IESHook',
        delta=dict(type='Budget', saved=0.2),
        refresh_interval=dict(type='Spaced', cap=8, by='training'),
    )
)
