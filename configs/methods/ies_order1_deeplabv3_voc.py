_base_ = '../ies_deeplabv3_voc.py'

default_hooks = dict(ies=dict(order=1))
