# Soft IES without replacement or weights: every image comes back in turn,
# those with a low loss at longer intervals.
default_hooks = dict(
    ies=dict(type='SoftIESHook', saved=0.2, replacement=False, weighted=False)
)
