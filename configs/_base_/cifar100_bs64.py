"""CIFAR-100 in batches of 64; see cifar10_bs64.py for the transforms."""

_base_ = 'mmpretrain::_base_/datasets/cifar100_bs16.py'

loader = dict(
    batch_size=64,
    persistent_workers=True,
    # Collates into one tensor, so a batch is normalised at once.
    collate_fn=dict(type='default_collate'),
)
train_dataloader = dict(**loader)
val_dataloader = dict(**loader)
test_dataloader = val_dataloader
