_base_ = '../ies_faster_rcnn_voc.py'

# A guess, as the paper gives no delta for this order: see docs/methods/ies.md.
default_hooks = dict(ies=dict(order=3, delta=0.09))
