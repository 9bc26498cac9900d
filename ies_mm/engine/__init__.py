"""What MMEngine sees: importing this package registers hook and sampler."""

from ies_mm.engine.hooks import IESHook
from ies_mm.engine.sampler import IESSampler

__all__ = ['IESHook', 'IESSampler']
