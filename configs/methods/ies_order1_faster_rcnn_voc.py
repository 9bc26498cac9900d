_base_ = '../ies_faster_rcnn_voc.py'

default_hooks = dict(ies=dict(order=1))
