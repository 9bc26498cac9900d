_base_ = '../ies_faster_rcnn_r18_demo.py'

default_hooks = dict(ies=dict(order=3, delta=0.22))
