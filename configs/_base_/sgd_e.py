"""The paper's SGD(E): learning rate times 0.96 every epoch."""

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=5e-4),
)
param_scheduler = [dict(type='ExponentialLR', by_epoch=True, gamma=0.96)]
