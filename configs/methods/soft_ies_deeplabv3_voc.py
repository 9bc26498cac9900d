_base_ = '../ies_deeplabv3_voc.py'

default_hooks = dict(ies=dict(_delete_=True, type='SoftIESHook', saved=0.14))
