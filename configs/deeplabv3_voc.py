"""The paper's segmentor: DeepLabv3 R-50, VOC2012 train -> val, 50 epochs.

The paper (appendix E) gives the network, the data and the epochs; the rest is
mmseg's recipe for this network, its 20,000 iterations converted to epochs.
"""

# MMEngine resolves 'mmseg::...' as mmsegmentation; the fork's name differs.
_base_ = [
    f'{__import__("mmseg").__path__[0]}/.mim/configs/_base_/{name}.py'
    for name in ('models/deeplabv3_r50-d8', 'datasets/pascal_voc12')
] + ['./_base_/segmentor_epochs.py']

max_epochs = 50
crop_size = (512, 512)
model = dict(
    data_preprocessor=dict(size=crop_size),
    decode_head=dict(num_classes=21),
    auxiliary_head=dict(num_classes=21),
)
train_dataloader = dict(
    # Four images on each of mmseg's four GPUs.
    batch_size=16,
    sampler=dict(type='DefaultSampler', shuffle=True),
)
train_cfg = dict(max_epochs=max_epochs, val_interval=1)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0.0005),
)
param_scheduler = [
    dict(
        type='PolyLR',
        eta_min=1e-4,
        power=0.9,
        begin=0,
        end=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    )
]
