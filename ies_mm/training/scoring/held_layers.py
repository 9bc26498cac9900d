"""Layers set to evaluation mode while images are scored.

A scoring pass should give the loss of a training step, without its noise and
without side effects. So the model stays in training mode, which heads and
transformers depend on (denoising queries, auxiliary outputs, decoded boxes),
and only those layers are set to evaluation mode whose training mode draws at
random or updates statistics of its inputs.
"""

from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

_TORCHS = (
    _DropoutNd,
    _NormBase,
    # Drops out by itself, not by a layer in it; so do RNNs.
    nn.MultiheadAttention,
    nn.RNNBase,
    nn.RReLU,
)

HELD = frozenset(
    {
        'mmcv.cnn.bricks.drop.DropPath',
        'mmcv.ops.sync_bn.SyncBatchNorm',
        'mmdet.models.dense_heads.clr_head.utils.roi_gather.ROIGather',
        'mmdet.models.layers.dropblock.DropBlock',
        'mmdet.models.utils.vlfuse_helper.BiMultiHeadAttention',
        'mmpretrain.models.backbones.densenet.DenseLayer',
        'mmpretrain.models.backbones.twins.GlobalSubsampledAttention',
        'mmpretrain.models.backbones.vig.DenseDilated',
        'mmpretrain.models.utils.attention.MultiheadAttention',
        'mmpretrain.models.utils.attention.PromptMultiheadAttention',
        'mmseg.models.decode_heads.ema_head.EMAModule',
    }
)
"""OpenMMLab's layers of this kind. Subclasses are held too."""


def is_held(module: nn.Module) -> bool:
    """Whether a layer is set to evaluation mode while images are scored.

    All layers of timm and Hugging Face transformers are: they compute no
    loss, and apply dropout in their own functions. A user's own modules stay
    in training mode.
    """
    kinds = type(module).__mro__
    if isinstance(module, _TORCHS):
        return True
    if any(f'{k.__module__}.{k.__qualname__}' in HELD for k in kinds):
        return True
    return type(module).__module__.partition('.')[0] in (
        'timm',
        'transformers',
    )
