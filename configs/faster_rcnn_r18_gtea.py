"""The small Faster R-CNN on GTEA (kitchen scenes, VOC layout), train -> val.

Needs ``data/gtea/VOC2007``; docs/results.md says what the criterion
sees there.
"""

_base_ = './faster_rcnn_r18_bccd.py'

# fmt: off
classes = (
    'bacon', 'bowl', 'bread', 'cabinet', 'cereal', 'cheese', 'cup', 'egg',
    'faucet', 'honey', 'jam', 'juice', 'ketchup', 'knife', 'mayonnaise',
    'meatpie', 'microwave', 'milk', 'oil', 'onion', 'peanut', 'pizza',
    'plate', 'pot', 'refrigerator', 'salad', 'saladdressing', 'salt',
    'sandwich', 'sausage', 'slice', 'spaghetti', 'spoon', 'stove', 'tea',
    'tissue', 'tomato', 'turkey', 'vegetable', 'vinaigrette',
)
# fmt: on
# Not VOCDataset: VOCMetric would print VOC's 20 class names.
gtea = dict(
    type='XMLDataset',
    data_root='data/gtea/',
    metainfo=dict(classes=classes),
)
model = dict(roi_head=dict(bbox_head=dict(num_classes=len(classes))))
train_dataloader = dict(dataset=gtea)
val_dataloader = dict(dataset=gtea)
test_dataloader = dict(dataset=gtea)
