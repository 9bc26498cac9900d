_base_ = '../ies_deeplabv3_voc.py'

# A guess, as the paper gives no delta for this order: see docs/methods/ies.md.
default_hooks = dict(ies=dict(order=1, delta=0.03))
