# The paper gives no delta for this order.
default_hooks = dict(
    ies=dict(type='IESHook', order=3, delta=dict(type='Budget', saved=0.2))
)
