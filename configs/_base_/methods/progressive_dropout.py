# What is predicted right with 0.7 or more, that is with a loss below -ln 0.7,
# is left out; the last epochs train on everything.
default_hooks = dict(
    ies=dict(type='IESHook', delta=0.357, order=0, window=1, anneal=0.05)
)
