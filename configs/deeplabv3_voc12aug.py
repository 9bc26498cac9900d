"""DeepLabv3 R-50 for 50 epochs on VOC2012 with its extra images (10,582).

The paper trains on VOC2012 and reports 76.2 mIoU. mmseg lists 76.17 for this
network *with* the extra images; ``deeplabv3_voc.py`` has the 1464 images
without them.
"""

_base_ = './deeplabv3_voc.py'

parts = [
    dict(
        type={{_base_.dataset_type}},
        data_root={{_base_.data_root}},
        data_prefix=dict(img_path='JPEGImages', seg_map_path=maps),
        ann_file=f'ImageSets/Segmentation/{name}.txt',
        pipeline={{_base_.train_pipeline}},
    )
    for name, maps in (
        ('train', 'SegmentationClass'),
        ('aug', 'SegmentationClassAug'),
    )
]
train_dataloader = dict(
    dataset=dict(_delete_=True, type='ConcatDataset', datasets=parts)
)
