"""The shipped config for each family, and special cases."""

MMDET = {
    # dense
    'RetinaNet': 'retinanet/retinanet_r18_fpn_1x_coco.py',
    'SSD': 'ssd/ssd300_coco.py',
    'FCOS': 'fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py',
    'ATSS': 'atss/atss_r50_fpn_1x_coco.py',
    'GFL': 'gfl/gfl_r50_fpn_1x_coco.py',
    'PAA': 'paa/paa_r50_fpn_1x_coco.py',
    'VarifocalNet': 'vfnet/vfnet_r50_fpn_1x_coco.py',
    'FreeAnchor': 'free_anchor/freeanchor_r50_fpn_1x_coco.py',
    'YOLOv3': 'yolo/yolov3_mobilenetv2_8xb24-320-300e_coco.py',
    'YOLOX': 'yolox/yolox_tiny_8xb8-300e_coco.py',
    'YOLOF': 'yolof/yolof_r50-c5_8xb8-1x_coco.py',
    'RTMDet': 'rtmdet/rtmdet_tiny_8xb32-300e_coco.py',
    'CenterNet': 'centernet/centernet_r18_8xb16-crop512-140e_coco.py',
    'FoveaBox': 'foveabox/fovea_r50_fpn_4xb4-1x_coco.py',
    'TOOD': 'tood/tood_r50_fpn_1x_coco.py',
    'DDOD': 'ddod/ddod_r50_fpn_1x_coco.py',
    'RepPoints': 'reppoints/reppoints-moment_r50_fpn_1x_coco.py',
    'GA-RPN': 'guided_anchoring/ga-rpn_r50_fpn_1x_coco.py',
    'AutoAssign': 'autoassign/autoassign_r50-caffe_fpn_1x_coco.py',
    # two-stage detectors and cascades
    'Faster R-CNN': 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
    'Faster R-CNN C4': 'faster_rcnn/faster-rcnn_r50-caffe-c4_ms-1x_coco.py',
    'Faster R-CNN OHEM': 'faster_rcnn/faster-rcnn_r50_fpn_ohem_1x_coco.py',
    'Libra R-CNN': 'libra_rcnn/libra-faster-rcnn_r50_fpn_1x_coco.py',
    'Cascade R-CNN': 'cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py',
    'Mask R-CNN': 'mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py',
    'Cascade Mask R-CNN': 'cascade_rcnn/cascade-mask-rcnn_r50_fpn_1x_coco.py',
    'HTC': 'htc/htc_r50_fpn_1x_coco.py',
    'Grid R-CNN': 'grid_rcnn/grid-rcnn_r50_fpn_gn-head_1x_coco.py',
    'Dynamic R-CNN': 'dynamic_rcnn/dynamic-rcnn_r50_fpn_1x_coco.py',
    'Double-Head R-CNN': 'double_heads/dh-faster-rcnn_r50_fpn_1x_coco.py',
    'PISA': 'pisa/faster-rcnn_r50_fpn_pisa_1x_coco.py',
    'Mask Scoring R-CNN': 'ms_rcnn/ms-rcnn_r50_fpn_1x_coco.py',
    'PointRend': 'point_rend/point-rend_r50-caffe_fpn_ms-1x_coco.py',
    # queries
    'DETR': 'detr/detr_r50_8xb2-150e_coco.py',
    'Deformable DETR': 'deformable_detr/deformable-detr_r50_16xb2-50e_coco.py',
    'Conditional DETR': (
        'conditional_detr/conditional-detr_r50_8xb2-50e_coco.py'
    ),
    'DAB-DETR': 'dab_detr/dab-detr_r50_8xb2-50e_coco.py',
    'DINO': 'dino/dino-4scale_r50_8xb2-12e_coco.py',
    'Sparse R-CNN': 'sparse_rcnn/sparse-rcnn_r50_fpn_1x_coco.py',
    'QueryInst': 'queryinst/queryinst_r50_fpn_1x_coco.py',
    'Mask2Former': 'mask2former/mask2former_r50_8xb2-lsj-50e_coco.py',
    # instance and panoptic segmentation without box detection
    'SOLO': 'solo/solo_r50_fpn_1x_coco.py',
    'SOLOv2': 'solov2/solov2_r50_fpn_1x_coco.py',
    'CondInst': 'condinst/condinst_r50_fpn_ms-poly-90k_coco_instance.py',
    'YOLACT': 'yolact/yolact_r50_1xb8-55e_coco.py',
    'BoxInst': 'boxinst/boxinst_r50_fpn_ms-90k_coco.py',
}
MMDET_MORE = {
    'SSDLite': 'ssd/ssdlite_mobilenetv2-scratch_8xb24-600e_coco.py',
    'FCOS, centred, GIoU': (
        'fcos/fcos_r50-caffe_fpn_gn-head-center-normbbox-centeronreg-'
        'giou_1x_coco.py'
    ),
    'CenterNet, updated': (
        'centernet/centernet-update_r50_fpn_8xb8-amp-lsj-200e_coco.py'
    ),
    'TOOD, anchors': 'tood/tood_r50_fpn_anchor-based_1x_coco.py',
    'FoveaBox, aligned': (
        'foveabox/fovea_r50_fpn_gn-head-align_4xb4-2x_coco.py'
    ),
    'RepPoints, boxes': (
        'reppoints/reppoints-bbox_r50_fpn-gn_head-gn-grid_1x_coco.py'
    ),
    'YOLOv3, Darknet': 'yolo/yolov3_d53_8xb8-320-273e_coco.py',
    'RTMDet-Ins': 'rtmdet/rtmdet-ins_tiny_8xb32-300e_coco.py',
    'GA-RetinaNet': 'guided_anchoring/ga-retinanet_r50_fpn_1x_coco.py',
    'GA-Faster R-CNN': 'guided_anchoring/ga-faster-rcnn_r50_fpn_1x_coco.py',
    'TOOD, first epochs': 'tood/tood_r50_fpn_1x_coco.py',
    'YOLOX, last epochs': 'yolox/yolox_tiny_8xb8-300e_coco.py',
    'AnchorHead': 'retinanet/retinanet_r18_fpn_1x_coco.py',
    'GuidedAnchorHead': 'guided_anchoring/ga-retinanet_r50_fpn_1x_coco.py',
    'RTMDetHead': 'rtmdet/rtmdet_tiny_8xb32-300e_coco.py',
    'RTMDetInsHead': 'rtmdet/rtmdet-ins_tiny_8xb32-300e_coco.py',
    'RPN': 'rpn/rpn_r50_fpn_1x_coco.py',
    'Faster R-CNN, FCOS as RPN': (
        'faster_rcnn/faster-rcnn_r50_fpn_fcos-rpn_1x_coco.py'
    ),
    'Faster R-CNN, IoU loss': 'faster_rcnn/faster-rcnn_r50_fpn_iou_1x_coco.py',
    'Libra RetinaNet': 'libra_rcnn/libra-retinanet_r50_fpn_1x_coco.py',
    'Mask R-CNN C4': 'mask_rcnn/mask-rcnn_r50-caffe-c4_1x_coco.py',
    'HTC without semantic': 'htc/htc-without-semantic_r50_fpn_1x_coco.py',
    'PISA Mask R-CNN': 'pisa/mask-rcnn_r50_fpn_pisa_1x_coco.py',
    'PISA RetinaNet': 'pisa/retinanet-r50_fpn_pisa_1x_coco.py',
    'PISA SSD': 'pisa/ssd300_pisa_coco.py',
    'Deformable DETR, two stages': (
        'deformable_detr/deformable-detr-refine-twostage_r50_16xb2-50e_coco.py'
    ),
    'Mask2Former, panoptic': (
        'mask2former/mask2former_r50_8xb2-lsj-50e_coco-panoptic.py'
    ),
    'Decoupled SOLO': 'solo/decoupled-solo_r50_fpn_1x_coco.py',
    'Decoupled SOLO, light': 'solo/decoupled-solo-light_r50_fpn_3x_coco.py',
    'SOLOv2, light': 'solov2/solov2-light_r18_fpn_ms-3x_coco.py',
    'SABL Cascade R-CNN': 'sabl/sabl-cascade-rcnn_r50_fpn_1x_coco.py',
    'SABL Faster R-CNN': 'sabl/sabl-faster-rcnn_r50_fpn_1x_coco.py',
    'SABL RetinaNet': 'sabl/sabl-retinanet_r50_fpn_1x_coco.py',
    'Cascade RPN': (
        'cascade_rpn/cascade-rpn_faster-rcnn_r50-caffe_fpn_1x_coco.py'
    ),
    'DDQ': 'ddq/ddq-detr-4scale_r50_8xb2-12e_coco.py',
}
MMSEG = {
    'FCN': 'fcn/fcn_r18-d8_4xb2-80k_cityscapes-512x1024.py',
    'PSPNet': 'pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py',
    'DeepLabv3': 'deeplabv3/deeplabv3_r18-d8_4xb2-80k_cityscapes-512x1024.py',
    'DeepLabv3+': (
        'deeplabv3plus/deeplabv3plus_r18-d8_4xb2-80k_cityscapes-512x1024.py'
    ),
    'UPerNet': 'upernet/upernet_r18_4xb2-40k_cityscapes-512x1024.py',
    'OCRNet': 'ocrnet/ocrnet_hr18s_4xb2-40k_cityscapes-512x1024.py',
    'PointRend': 'point_rend/pointrend_r50_4xb2-80k_cityscapes-512x1024.py',
    'SegFormer': 'segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py',
    'Segmenter': 'segmenter/segmenter_vit-t_mask_8xb1-160k_ade20k-512x512.py',
    'SETR': 'setr/setr_vit-l_naive_8xb1-80k_cityscapes-768x768.py',
    'FastSCNN': 'fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024.py',
    'BiSeNetV1': (
        'bisenetv1/bisenetv1_r18-d32_4xb4-160k_cityscapes-1024x1024.py'
    ),
    'BiSeNetV2': 'bisenetv2/bisenetv2_fcn_4xb4-160k_cityscapes-1024x1024.py',
    'STDC': 'stdc/stdc1_4xb12-80k_cityscapes-512x1024.py',
    'K-Net': 'knet/knet-s3_r50-d8_fcn_8xb2-adamw-80k_ade20k-512x512.py',
    'MaskFormer': 'maskformer/maskformer_r50-d32_8xb2-160k_ade20k-512x512.py',
    'Mask2Former': 'mask2former/mask2former_r50_8xb2-160k_ade20k-512x512.py',
    'HRNet': 'hrnet/fcn_hr18s_4xb2-40k_cityscapes-512x1024.py',
    'UNet': 'unet/unet-s5-d16_fcn_4xb4-40k_drive-64x64.py',
    'Swin': (
        'swin/swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_ade20k-'
        '512x512.py'
    ),
}
MMSEG_MORE = {
    'FCN, class weights off, OHEM': (
        'bisenetv2/bisenetv2_fcn_4xb4-ohem-160k_cityscapes-1024x1024.py'
    ),
    'Segmenter, FCN head': (
        'segmenter/segmenter_vit-s_fcn_8xb1-160k_ade20k-512x512.py'
    ),
    'SETR, PUP': 'setr/setr_vit-l_pup_8xb1-80k_cityscapes-768x768.py',
    'SETR, MLA': 'setr/setr_vit-l_mla_8xb1-80k_cityscapes-768x768.py',
    'UNet, cross-entropy and Dice': (
        'unet/unet-s5-d16_fcn_4xb4-ce-1.0-dice-3.0-40k_drive-64x64.py'
    ),
    'K-Net on UPerNet': (
        'knet/knet-s3_r50-d8_upernet_8xb2-adamw-80k_ade20k-512x512.py'
    ),
    'MaskFormer, Swin': (
        'maskformer/maskformer_swin-t_upernet_8xb2-160k_ade20k-512x512.py'
    ),
}
MMPRETRAIN = {
    # heads
    'LinearClsHead': 'resnet/resnet18_8xb32_in1k.py',
    'VisionTransformerClsHead': (
        'vision_transformer/vit-base-p32_64xb64_in1k.py'
    ),
    'DeiTClsHead': 'deit/deit-tiny-distilled_4xb256_in1k.py',
    'ConformerHead': 'conformer/conformer-tiny-p16_8xb128_in1k.py',
    'EfficientFormerClsHead': (
        'efficientformer/efficientformer-l1_8xb128_in1k.py'
    ),
    'LeViTClsHead': 'levit/levit-128s_8xb256_in1k.py',
    'VigClsHead': 'vig/vig-tiny_8xb128_in1k.py',
    'ArcFaceClsHead': 'arcface/resnet50-arcface_8xb32_inshop.py',
    'CSRAClsHead': 'csra/resnet101-csra_1xb16_voc07-448px.py',
    'StackedLinearClsHead': 'mobilenet_v3/mobilenet-v3-small_8xb128_in1k.py',
    'MultiLabelClsHead': 'vgg/vgg16_8xb16_voc.py',
    'ClsHead': 'vgg/vgg11_8xb32_in1k.py',
    'MultiLabelLinearClsHead': 'resnet/resnet18_8xb32_in1k.py',
    'RegressionHead': 'vgg/vgg11_8xb32_in1k.py',
    'LinearRegressionHead': 'resnet/resnet18_8xb32_in1k.py',
    'MultiTaskHead': 'resnet/resnet18_8xb32_in1k.py',
    # backbones
    'BEiT': 'beit/benchmarks/beit-base-p16_8xb128-coslr-100e_in1k.py',
    'CLIP ViT': 'clip/vit-base-p32_pt-64xb64_in1k.py',
    'ConvMixer': 'convmixer/convmixer-768-32_10xb64_in1k.py',
    'ConvNeXt': 'convnext/convnext-tiny_32xb128_in1k.py',
    'ConvNeXt V2': 'convnext_v2/convnext-v2-atto_32xb32_in1k.py',
    'CSPNet': 'cspnet/cspresnet50_8xb32_in1k.py',
    'DaViT': 'davit/davit-tiny_4xb256_in1k.py',
    'DeiT': 'deit/deit-tiny_4xb256_in1k.py',
    'DeiT III': 'deit3/deit3-small-p16_64xb64_in1k.py',
    'DenseNet': 'densenet/densenet121_4xb256_in1k.py',
    'EdgeNeXt': 'edgenext/edgenext-xxsmall_8xb256_in1k.py',
    'EfficientNet': 'efficientnet/efficientnet-b0_8xb32_in1k.py',
    'EfficientNetV2': 'efficientnet_v2/efficientnetv2-b0_8xb32_in1k.py',
    'EVA': 'eva/eva-l-p14_8xb16_in1k-196px.py',
    'EVA-02': 'eva02/eva02-tiny-p14_in1k.py',
    'HiViT': 'hivit/hivit-tiny-p16_16xb64_in1k.py',
    'HorNet': 'hornet/hornet-tiny_8xb128_in1k.py',
    'HRNet': 'hrnet/hrnet-w18_4xb32_in1k.py',
    'Inception V3': 'inception_v3/inception-v3_8xb32_in1k.py',
    'LeNet': 'lenet/lenet5_mnist.py',
    'MixMIM': 'mixmim/benchmarks/mixmim-base_8xb128-coslr-100e_in1k.py',
    'MLP-Mixer': 'mlp_mixer/mlp-mixer-base-p16_64xb64_in1k.py',
    'MobileNetV2': 'mobilenet_v2/mobilenet-v2_8xb32_in1k.py',
    'MobileOne': 'mobileone/mobileone-s0_8xb32_in1k.py',
    'MobileViT': 'mobilevit/mobilevit-xxsmall_8xb128_in1k.py',
    'MViT': 'mvit/mvitv2-tiny_8xb256_in1k.py',
    'PoolFormer': 'poolformer/poolformer-s12_32xb128_in1k.py',
    'RegNet': 'regnet/regnetx-400mf_8xb128_in1k.py',
    'RepLKNet': 'resnet/resnet18_8xb32_in1k.py',
    'RepMLP': 'repmlp/repmlp-base_8xb64_in1k.py',
    'RepVGG': 'repvgg/repvgg-A0_8xb32_in1k.py',
    'Res2Net': 'res2net/res2net50-w14-s8_8xb32_in1k.py',
    'ResNeSt': 'resnest/resnest50_32xb64_in1k.py',
    'ResNeXt': 'resnext/resnext50-32x4d_8xb32_in1k.py',
    'ResNet, CIFAR': 'resnet/resnet18_8xb16_cifar10.py',
    'ResNet, label smoothing': 'resnet/resnet50_8xb32-lbs_in1k.py',
    'ResNet, strikes back': 'resnet/resnet50_8xb256-rsb-a1-600e_in1k.py',
    'RevViT': 'revvit/revvit-small_8xb256_in1k.py',
    'RIFormer': 'riformer/riformer-s12_8xb128_in1k.py',
    'SE-ResNet': 'seresnet/seresnet50_8xb32_in1k.py',
    'ShuffleNetV1': 'shufflenet_v1/shufflenet-v1-1x_16xb64_in1k.py',
    'ShuffleNetV2': 'shufflenet_v2/shufflenet-v2-1x_16xb64_in1k.py',
    'Swin': 'swin_transformer/swin-tiny_16xb64_in1k.py',
    'Swin V2': 'swin_transformer_v2/swinv2-tiny-w8_16xb64_in1k-256px.py',
    'T2T-ViT': 't2t_vit/t2t-vit-t-14_8xb64_in1k.py',
    'TinyViT': 'tinyvit/tinyvit-5m_8xb256_in1k.py',
    'TNT': 'tnt/tnt-s-p16_16xb64_in1k.py',
    'Twins': 'twins/twins-pcpvt-small_8xb128_in1k.py',
    'VAN': 'van/van-tiny_8xb128_in1k.py',
    'VGG': 'vgg/vgg11bn_8xb32_in1k.py',
    'Wide-ResNet': 'wrn/wide-resnet50_8xb32_in1k.py',
    'XCiT': 'xcit/xcit-tiny-12-p16_8xb128_in1k.py',
}
# The tables below are keyed by library and name, 'mmdet/TOOD'. This one holds
# changes to a config's model, for what no shipped, trainable config has:
_RTMDET = dict(
    _delete_=True,
    num_classes=80,
    in_channels=96,
    feat_channels=96,
    with_objectness=False,
    anchor_generator=dict(
        type='MlvlPointGenerator', offset=0, strides=[8, 16, 32]
    ),
    bbox_coder=dict(type='DistancePointBBoxCoder'),
    loss_cls=dict(type='QualityFocalLoss', use_sigmoid=True, beta=2.0),
    loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
)
CHANGES: dict[str, dict] = {
    # A quarter of the width: its 40x40 grids take minutes otherwise.
    'mmdet/SOLOv2': dict(mask_head=dict(feat_channels=128)),
    # Base for large: two processes would need more than 24 GB.
    'mmpretrain/EVA': dict(
        backbone=dict(arch='base'), head=dict(in_channels=768)
    ),
    # Heads without a shipped config, whose subclasses have one.
    'mmdet/AnchorHead': dict(
        bbox_head=dict(
            _delete_=True,
            type='AnchorHead',
            num_classes=80,
            in_channels=256,
            anchor_generator=dict(
                type='AnchorGenerator',
                scales=[4, 8],
                ratios=[0.5, 1.0, 2.0],
                strides=[8, 16, 32, 64, 128],
            ),
            loss_cls=dict(type='FocalLoss', use_sigmoid=True),
            loss_bbox=dict(type='L1Loss'),
        )
    ),
    'mmdet/GuidedAnchorHead': dict(
        bbox_head=dict(
            _delete_=True,
            type='GuidedAnchorHead',
            num_classes=80,
            in_channels=256,
            init_cfg=dict(type='Normal', layer='Conv2d', std=0.01),
            approx_anchor_generator=dict(
                type='AnchorGenerator',
                octave_base_scale=4,
                scales_per_octave=3,
                ratios=[0.5, 1.0, 2.0],
                strides=[8, 16, 32, 64, 128],
            ),
            square_anchor_generator=dict(
                type='AnchorGenerator',
                ratios=[1.0],
                scales=[4],
                strides=[8, 16, 32, 64, 128],
            ),
            loss_cls=dict(type='FocalLoss', use_sigmoid=True),
        )
    ),
    'mmdet/RTMDetHead': dict(bbox_head=dict(type='RTMDetHead', **_RTMDET)),
    'mmdet/RTMDetInsHead': dict(
        bbox_head=dict(
            type='RTMDetInsHead',
            loss_mask=dict(type='DiceLoss', loss_weight=2.0, eps=5e-6),
            **_RTMDET,
        )
    ),
    'mmpretrain/MultiLabelLinearClsHead': dict(
        head=dict(
            _delete_=True,
            type='MultiLabelLinearClsHead',
            num_classes=5,
            in_channels=512,
        )
    ),
    'mmpretrain/RegressionHead': dict(
        head=dict(_delete_=True, type='RegressionHead')
    ),
    'mmpretrain/LinearRegressionHead': dict(
        head=dict(
            _delete_=True,
            type='LinearRegressionHead',
            num_classes=5,
            in_channels=512,
        )
    ),
    'mmpretrain/MultiTaskHead': dict(
        head=dict(
            _delete_=True,
            type='MultiTaskHead',
            task_heads=dict(
                colour=dict(
                    type='LinearClsHead', num_classes=4, in_channels=512
                ),
                parts=dict(
                    type='MultiLabelLinearClsHead',
                    num_classes=5,
                    in_channels=512,
                ),
            ),
        )
    ),
    # mmpretrain refuses to train these configs with distillation.
    'mmpretrain/EfficientFormerClsHead': dict(head=dict(distillation=False)),
    'mmpretrain/LeViTClsHead': dict(head=dict(distillation=False)),
    # MMEngine cannot read the configs of this backbone.
    'mmpretrain/RepLKNet': dict(
        backbone=dict(
            _delete_=True, type='RepLKNet', arch='31B', out_indices=(3,)
        ),
        head=dict(in_channels=1024),
    ),
}
# Progress of the training; attributes that library hooks have set by then.
PROGRESS = {'mmdet/TOOD, first epochs': dict(epoch=0, iter=0)}
ATTRIBUTES = {'mmdet/YOLOX, last epochs': {'bbox_head.use_l1': True}}
# Families whose per-image losses are inherently not those of the image alone,
# with the reason; the shares of the batch loss are exact.
SHARE_EXACT: dict[str, str] = {}
# Refining boxes from stage to stage amplifies rounding: with a narrow
# backbone, an image alone differs by 1e-3 from its batch (0 in float64).
WIDE = ('mmdet/Sparse R-CNN', 'mmdet/QueryInst')
# Run an image alone as a batch of two copies, whose mean is its loss: LeNet
# does not treat a single image as a batch.
TWICE = ('mmpretrain/LeNet',)
# Compute features in float64: random weights in deep networks amplify
# rounding, which differs between one image and 16 (2e-4 of a loss). In Vision
# GNN it also decides which patches are neighbours (6e-3).
PRECISE = ('mmdet/strongsort', 'mmdet/Sparse R-CNN', 'mmpretrain/VigClsHead')
