default_hooks = dict(ies=dict(type='SoftIESHook', saved=0.2))
