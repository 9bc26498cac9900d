"""Per-image losses of unmodified OpenMMLab models."""

from ies_mm.losses.base import capture_per_image_losses, check_supported
from ies_mm.losses.captured import CapturedLosses
from ies_mm.losses.registry import register_adapter
from ies_mm.losses.weighting import weight_per_image_losses

__all__ = [
    'CapturedLosses',
    'capture_per_image_losses',
    'check_supported',
    'register_adapter',
    'weight_per_image_losses',
]
