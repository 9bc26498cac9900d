_base_ = '../cifar/ies_resnet18_cifar10_sgd_e.py'

# The paper gives no delta for this order; as much as Random Remove's config.
default_hooks = dict(
    ies=dict(order=0, delta=dict(_delete_=True, type='Budget', saved=0.5))
)
