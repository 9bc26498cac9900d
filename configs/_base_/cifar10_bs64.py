"""CIFAR-10 in batches of 64, as in the paper (appendices A and B).

Crop, flip and normalisation are mmpretrain's, as in the authors' program.
Appendix A also mentions rotations by up to 15 degrees; appendix B and the
program have none, and neither does this config.
"""

_base_ = 'mmpretrain::_base_/datasets/cifar10_bs16.py'

loader = dict(
    batch_size=64,
    persistent_workers=True,
    # Collates into one tensor, so a batch is normalised at once.
    collate_fn=dict(type='default_collate'),
)
train_dataloader = dict(**loader)
val_dataloader = dict(**loader)
test_dataloader = val_dataloader
