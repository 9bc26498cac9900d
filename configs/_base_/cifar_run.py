"""Length and runtime of the CIFAR trainings: 200 epochs."""

_base_ = 'mmpretrain::_base_/default_runtime.py'

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=200, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    checkpoint=dict(max_keep_ckpts=1, save_best='accuracy/top1')
)
