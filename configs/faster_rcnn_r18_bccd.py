"""The small Faster R-CNN on BCCD (blood cells, in VOC layout), train -> val.

Needs ``data/bccd/VOC2007``; docs/results.md says where to get the images.
"""

_base_ = [
    './_base_/faster_rcnn_r18_fpn_small.py',
    './_base_/voc07_small.py',
    './_base_/small_run.py',
]

bccd = dict(
    data_root='data/bccd/',
    metainfo=dict(classes=('RBC', 'WBC', 'Platelets')),
)
model = dict(roi_head=dict(bbox_head=dict(num_classes=3)))
train_dataloader = dict(
    dataset=dict(ann_file='VOC2007/ImageSets/Main/train.txt', **bccd)
)
val_dataloader = dict(
    dataset=dict(ann_file='VOC2007/ImageSets/Main/val.txt', **bccd)
)
test_dataloader = val_dataloader
