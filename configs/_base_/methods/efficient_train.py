default_hooks = dict(ies=dict(type='EfficientTrainHook'))
