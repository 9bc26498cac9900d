_base_ = '../ies_faster_rcnn_r18_demo.py'

default_hooks = dict(ies=dict(order=3))
