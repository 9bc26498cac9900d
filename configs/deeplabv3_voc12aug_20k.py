"""mmseg's own DeepLabv3 R-50 on VOC2012 with its extra images, 20,000 steps.

An iteration-based training: 30 passes over 10,582 images. The batch size is
16 as in mmseg, but on one GPU; with several, reduce
``train_dataloader.batch_size`` accordingly.
"""

# MMEngine resolves 'mmseg::...' as mmsegmentation; the fork's name differs.
_base_ = (
    f'{__import__("mmseg").__path__[0]}/.mim/configs/deeplabv3/'
    'deeplabv3_r50-d8_4xb4-20k_voc12aug-512x512.py'
)

train_dataloader = dict(batch_size=16)
