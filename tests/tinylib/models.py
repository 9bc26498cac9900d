"""A spot counter: a convolution, and a head with its own loss."""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class CountingHead(nn.Module):
    """Predicts a map of spots that sums to their number."""

    def __init__(self, channels: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 1, 1)

    def forward(self, feats: Tensor) -> Tensor:
        return self.conv(feats)[:, 0]

    def loss(self, feats: Tensor, samples: list) -> dict:
        """The map's error, averaged over the batch's valid pixels."""
        found = self(feats)
        spots = torch.stack([sample.spots for sample in samples])
        valid = torch.stack([sample.valid for sample in samples])
        errors = F.smooth_l1_loss(found, spots, reduction='none') * valid
        counts = (found * valid).sum(dim=(1, 2))
        wanted = (spots * valid).sum(dim=(1, 2))
        return dict(
            loss_map=errors.sum() / valid.sum(),
            loss_count=0.1 * F.l1_loss(counts, wanted),
        )


@MODELS.register_module()
class SpotCounter(BaseModel):
    """Trains with MMEngine like other libraries' models."""

    def __init__(self, head: dict, data_preprocessor=None) -> None:
        super().__init__(data_preprocessor)
        self.backbone = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU())
        self.head = MODELS.build(head)

    def loss(self, inputs: Tensor, data_samples: list) -> dict:
        return self.head.loss(self.backbone(inputs), data_samples)

    def forward(self, inputs, data_samples=None, mode: str = 'tensor'):
        inputs = torch.stack(inputs) if isinstance(inputs, list) else inputs
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        return self.head(self.backbone(inputs))
