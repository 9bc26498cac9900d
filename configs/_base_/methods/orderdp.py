# Starts when IES can, and prunes as many images as IES with this budget.
default_hooks = dict(ies=dict(type='OrderDPHook', saved=0.2, begin=6))
