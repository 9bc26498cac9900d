"""mmdet's own Faster R-CNN R-50-FPN on VOC07+12, one pass per epoch.

mmdet repeats the data three times in each of 4 epochs; here the same 12
passes are 12 epochs, because IES observes every image once per epoch.
"""

_base_ = 'mmdet::pascal_voc/faster-rcnn_r50_fpn_1x_voc0712.py'

max_epochs = 12
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        ignore_keys=['dataset_type'],
        datasets={{_base_.train_dataloader.dataset.dataset.datasets}},
    )
)
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(
        type='MultiStepLR',
        begin=0,
        end=max_epochs,
        by_epoch=True,
        milestones=[9],
        gamma=0.1,
    )
]
