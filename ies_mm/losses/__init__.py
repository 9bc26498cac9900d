"""Per-image losses of unmodified OpenMMLab models."""

from ies_mm.losses.capture.captured import CapturedLosses
from ies_mm.losses.capture.registry import register_adapter
from ies_mm.losses.capture.terms import terms_of
from ies_mm.losses.context import capture_per_image_losses, check_supported
from ies_mm.losses.generic.by_image import asked_by_image
from ies_mm.losses.generic.slicing import entry_of, image_of
from ies_mm.losses.weighting import weight_per_image_losses

__all__ = [
    'CapturedLosses',
    'asked_by_image',
    'capture_per_image_losses',
    'check_supported',
    'entry_of',
    'image_of',
    'register_adapter',
    'terms_of',
    'weight_per_image_losses',
]
