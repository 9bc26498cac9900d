"""Layers that are held still while images are scored.

A scoring pass is to give the loss that a training step would give, without
its noise and without leaving a trace. So the model stays in training mode,
which heads and transformers ask for (denoising queries, auxiliary outputs,
decoded boxes), and single layers alone are set to evaluation: those whose
training mode draws at random or keeps statistics of what it sees.
"""

from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

_TORCHS = (
    _DropoutNd,
    _NormBase,
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
    """Whether a layer is set to evaluation while images are scored.

    Layers of timm, Hugging Face and the like are: they know of no loss, and
    drop out in functions of their own. What a user's own modules do in
    training mode they do here too.
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
