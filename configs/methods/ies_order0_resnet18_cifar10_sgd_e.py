_base_ = '../cifar/ies_resnet18_cifar10_sgd_e.py'

# A guess, as the paper gives no delta for this order: see docs/methods/ies.md.
default_hooks = dict(ies=dict(order=0, delta=0.01))
