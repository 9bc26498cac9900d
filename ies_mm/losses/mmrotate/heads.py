"""Per-image losses of mmrotate's dense heads, asked again image by image.

Heads that keep the loss of mmdet's (Rotated Faster R-CNN, Oriented R-CNN, RoI
Transformer, Rotated RetinaNet, Rotated ATSS) are served by mmdet's adapters.
Those of Rotated FCOS and Rotated RTMDet override ``loss_by_feat``, with an
output more for the angle, and keep what the general adapter relies on:
outputs with the images first, lists with one entry an image.
"""

from mmrotate.models.dense_heads import RotatedFCOSHead, RotatedRTMDetHead

from ies_mm.losses.capture.registry import register_adapter
from ies_mm.losses.mmdet.dense_heads import dense_head

register_adapter(
    RotatedFCOSHead, RotatedRTMDetHead, relies_on=('loss_by_feat',)
)(dense_head)
