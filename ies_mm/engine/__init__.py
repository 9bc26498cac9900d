"""What MMEngine sees: importing this package registers hooks and sampler."""

from ies_mm.engine.baselines import (
    DIHCLHook,
    InfoBatchHook,
    RandomRemovalHook,
    SmallLossRescaleHook,
)
from ies_mm.engine.hooks import IESHook
from ies_mm.engine.sampler import IESSampler
from ies_mm.engine.selective_backprop import SelectiveBackpropHook

__all__ = [
    'DIHCLHook',
    'IESHook',
    'IESSampler',
    'InfoBatchHook',
    'RandomRemovalHook',
    'SelectiveBackpropHook',
    'SmallLossRescaleHook',
]
