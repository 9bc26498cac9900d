# Prunes images predicted correctly with 0.7 or more, i.e. with a loss below
# -ln 0.7; the last epochs train on all images.
default_hooks = dict(
    ies=dict(type='IESHook', delta=0.357, order=0, window=1, anneal=0.05)
)
