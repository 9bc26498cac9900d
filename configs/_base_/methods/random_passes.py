# Random pruning without replacement: shuffled passes through all images.
default_hooks = dict(
    ies=dict(type='RandomRemovalHook', saved=0.2, begin=6, replacement=False)
)
