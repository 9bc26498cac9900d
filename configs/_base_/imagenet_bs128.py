"""ImageNet-1k in batches of 128, as in the paper (appendices A and B).

The paper says normalisation, random crops and flips, but gives no sizes. Taken
are mmpretrain's: a random crop of random size at 224, the centre in testing.
"""

_base_ = 'mmpretrain::_base_/datasets/imagenet_bs64.py'

loader = dict(
    batch_size=128,
    persistent_workers=True,
    # One tensor for a batch: normalised at once, not image by image.
    collate_fn=dict(type='default_collate'),
)
train_dataloader = dict(**loader)
val_dataloader = dict(**loader)
test_dataloader = val_dataloader
