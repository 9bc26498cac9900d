"""The small Faster R-CNN on the images of ``tools/make_voc.py``."""

_base_ = [
    './_base_/faster_rcnn_r18_fpn_small.py',
    './_base_/voc07_small.py',
    './_base_/small_run.py',
]

demo = dict(
    data_root='data/demo/VOCdevkit/',
    metainfo=dict(classes=('bicycle', 'bird', 'boat', 'bottle', 'car', 'cat')),
)
model = dict(roi_head=dict(bbox_head=dict(num_classes=6)))
train_dataloader = dict(dataset=dict(**demo))
val_dataloader = dict(dataset=dict(**demo))
test_dataloader = val_dataloader
