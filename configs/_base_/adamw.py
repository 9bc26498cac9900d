"""The paper's AdamW, with a fixed learning rate."""

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=0.001, weight_decay=0.01),
)
param_scheduler = []
