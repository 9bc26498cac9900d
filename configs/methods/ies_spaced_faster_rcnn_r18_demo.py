_base_ = '../ies_faster_rcnn_r18_demo.py'

# Looks at what is left out by training on it, after 1, 2, 4, 8 epochs.
default_hooks = dict(
    ies=dict(refresh_interval=dict(type='Spaced', cap=8, by='training'))
)
