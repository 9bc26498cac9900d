"""The paper's SGD(L): from 0.1 linearly to 0.001 over 150 epochs."""

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=5e-4),
)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1.0,
        end_factor=0.01,
        by_epoch=True,
        begin=0,
        # MMEngine takes end - begin - 1 steps, so the paper's 150.
        end=151,
    )
]
