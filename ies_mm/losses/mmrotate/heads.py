"""Per-image losses of mmrotate's dense heads, re-evaluated by image.

Heads that inherit mmdet's loss (Rotated Faster R-CNN, Oriented R-CNN, RoI
Transformer, Rotated RetinaNet, Rotated ATSS) are served by mmdet's adapters.
Rotated FCOS and Rotated RTMDet override ``loss_by_feat`` with an additional
output for the angle, but keep what the general adapter relies on: outputs
with the batch axis first and lists with one entry per image.
"""

from mmrotate.models.dense_heads import RotatedFCOSHead, RotatedRTMDetHead

from ies_mm.losses.capture.registry import register_adapter
from ies_mm.losses.mmdet.dense_heads import dense_head

register_adapter(
    RotatedFCOSHead, RotatedRTMDetHead, relies_on=('loss_by_feat',)
)(dense_head)
