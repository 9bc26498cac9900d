default_hooks = dict(ies=dict(type='SmallLossRescaleHook'))
