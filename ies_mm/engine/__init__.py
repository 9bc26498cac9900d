"""What MMEngine sees: importing this package registers hooks and sampler."""

from ies_mm.engine.dihcl import DIHCLHook
from ies_mm.engine.hooks import IESHook
from ies_mm.engine.infobatch import InfoBatchHook, SmallLossRescaleHook
from ies_mm.engine.positions import register_wrapper
from ies_mm.engine.random_removal import RandomRemovalHook
from ies_mm.engine.sampler import IESSampler
from ies_mm.engine.selective_backprop import SelectiveBackpropHook
from ies_mm.engine.soft import SoftIESHook

__all__ = [
    'DIHCLHook',
    'IESHook',
    'IESSampler',
    'InfoBatchHook',
    'RandomRemovalHook',
    'SelectiveBackpropHook',
    'SmallLossRescaleHook',
    'SoftIESHook',
    'register_wrapper',
]
