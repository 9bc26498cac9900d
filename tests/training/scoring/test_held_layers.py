"""The layers held in evaluation mode while images are scored."""

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from ies_mm.training.data.positions import OPENMMLAB
from ies_mm.training.scoring.held_layers import HELD, is_held

_LAYERS = 'mmdet.models.layers.transformer'
# What these do in training mode is part of the loss: auxiliary outputs,
# denoising queries, decoded boxes, the way a backbone is computed.
TRAINED = frozenset(
    {
        'mmdet.models.backbones.trident_resnet.TridentConv',
        'mmdet.models.backbones.trident_resnet.TridentBottleneck',
        'mmdet.models.dense_heads.centernet_update_head.CenterNetUpdateHead',
        'mmdet.models.dense_heads.condinst_head.CondInstBboxHead',
        'mmdet.models.dense_heads.ddq_detr_head.DDQDETRHead',
        'mmdet.models.dense_heads.fcos_head.FCOSHead',
        'mmdet.models.dense_heads.ga_retina_head.GARetinaHead',
        'mmdet.models.dense_heads.guided_anchor_head.FeatureAdaption',
        'mmdet.models.dense_heads.guided_anchor_head.GuidedAnchorHead',
        'mmdet.models.dense_heads.reppoints_head.RepPointsHead',
        'mmdet.models.dense_heads.solo_head.DecoupledSOLOHead',
        'mmdet.models.dense_heads.solo_head.DecoupledSOLOLightHead',
        'mmdet.models.dense_heads.solo_head.SOLOHead',
        'mmdet.models.dense_heads.vfnet_head.VFNetHead',
        'mmdet.models.dense_heads.yolact_head.YOLACTProtonet',
        'mmdet.models.detectors.ddq_detr.DDQDETR',
        'mmdet.models.detectors.deformable_detr.DeformableDETR',
        'mmdet.models.detectors.dino.DINO',
        'mmdet.models.detectors.glip.GLIP',
        'mmdet.models.detectors.grounding_dino.GroundingDINO',
        'mmdet.models.detectors.trident_faster_rcnn.TridentFasterRCNN',
        f'{_LAYERS}.ddq_detr_layers.DDQTransformerDecoder',
        'mmdet.models.roi_heads.mask_heads.grid_head.GridHead',
        'mmdet.models.roi_heads.trident_roi_head.TridentRoIHead',
        'mmpretrain.models.backbones.efficientformer.AttentionWithBias',
        'mmpretrain.models.backbones.inception_v3.InceptionV3',
        'mmpretrain.models.backbones.levit.Attention',
        'mmpretrain.models.backbones.levit.AttentionSubsample',
        'mmpretrain.models.backbones.revvit.RevTransformerEncoderLayer',
        'mmpretrain.models.backbones.revvit.RevVisionTransformer',
        'mmpretrain.models.heads.deit_head.DeiTClsHead',
        'mmpretrain.models.heads.levit_head.LeViTClsHead',
        'mmpretrain.models.utils.attention.LeAttention',
        'mmpretrain.models.utils.vector_quantizer.NormEMAVectorQuantizer',
        'mmseg.models.backbones.ddrnet.DDRNet',
        'mmseg.models.backbones.pidnet.PIDNet',
        'mmseg.models.decode_heads.ddr_head.DDRHead',
        'mmseg.models.decode_heads.ham_head.Matrix_Decomposition_2D_Base',
        'mmseg.models.decode_heads.knet_head.IterativeDecodeHead',
        'mmseg.models.decode_heads.pid_head.PIDHead',
    }
)
# Not part of a model whose loss is captured.
ELSEWHERE = ('tracking', 'multimodal', 'voxelize', 'wrappers')


def asking_for_their_mode() -> Iterator[str]:
    """OpenMMLab classes that read ``self.training``, by full name."""
    for package in OPENMMLAB:
        spec = importlib.util.find_spec(package)
        assert spec
        assert spec.origin
        root = Path(spec.origin).parent
        for path in sorted(root.rglob('*.py')):
            if '.mim' in path.parts or 'self.training' not in (
                text := path.read_text()
            ):
                continue
            parts = (package, *path.relative_to(root).with_suffix('').parts)
            for node in ast.parse(text).body:
                if isinstance(node, ast.ClassDef) and any(
                    isinstance(part, ast.Attribute)
                    and ast.unparse(part) == 'self.training'
                    and isinstance(part.ctx, ast.Load)
                    for part in ast.walk(node)
                ):
                    yield '.'.join([*parts, node.name])


def test_every_layer_that_asks_for_its_mode_is_decided_on() -> None:
    """Detects an OpenMMLab update that adds another one."""
    undecided = {
        name
        for name in asking_for_their_mode()
        if name not in HELD | TRAINED
        and not any(word in name for word in ELSEWHERE)
    }
    assert undecided == set()


@pytest.mark.parametrize(
    'layer',
    [
        nn.BatchNorm2d(2),
        nn.SyncBatchNorm(2),
        nn.InstanceNorm2d(2, track_running_stats=True),
        nn.Dropout(),
        nn.Dropout2d(),
        nn.MultiheadAttention(2, 1, dropout=0.1),
        nn.LSTM(2, 2, 2, dropout=0.1),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_of_torch_that_draw_or_count_are_held(layer: nn.Module) -> None:
    assert is_held(layer)


@pytest.mark.parametrize(
    'layer', [nn.Conv2d(2, 2, 1), nn.LayerNorm(2), nn.Sequential()], ids=str
)
def test_others_stay_as_they_are_trained(layer: nn.Module) -> None:
    assert not is_held(layer)


def test_a_layer_of_one_s_own_that_inherits_is_held() -> None:
    class Own(nn.Dropout):
        pass

    assert is_held(Own())
    assert torch.equal(nn.Dropout(0.5).eval()(torch.ones(3)), torch.ones(3))
