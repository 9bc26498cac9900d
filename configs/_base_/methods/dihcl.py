default_hooks = dict(ies=dict(type='DIHCLHook'))
