"""The paper's SGD(M): learning rate divided by ten at epochs 50 and 100."""

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=5e-4),
)
param_scheduler = [
    dict(type='MultiStepLR', by_epoch=True, milestones=[50, 100], gamma=0.1)
]
