# The default setting: docs/configs.md.
default_hooks = dict(ies=dict(type='IESHook', saved=0.2))
