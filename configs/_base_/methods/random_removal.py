# Begins when IES can, and leaves out as many as IES with this budget.
default_hooks = dict(ies=dict(type='RandomRemovalHook', saved=0.2, begin=6))
