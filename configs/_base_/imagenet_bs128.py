"""ImageNet-1k in batches of 128, as in the paper (appendices A and B).

The paper names normalisation, random crops and flips, but gives no sizes.
These are mmpretrain's: a random resized crop of 224, a centre crop in testing.
"""

_base_ = 'mmpretrain::_base_/datasets/imagenet_bs64.py'

loader = dict(
    batch_size=128,
    persistent_workers=True,
    # Collates into one tensor, so a batch is normalised at once.
    collate_fn=dict(type='default_collate'),
)
train_dataloader = dict(**loader)
val_dataloader = dict(**loader)
test_dataloader = val_dataloader
