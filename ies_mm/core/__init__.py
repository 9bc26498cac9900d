"""The tensor maths of instance selection; depends only on torch and NumPy."""

from ies_mm.core.budget import (
    PruningPeriod,
    PruningSchedule,
    Quota,
    may_prune,
)
from ies_mm.core.criteria import Criterion
from ies_mm.core.history import LossHistory
from ies_mm.core.rechecks import Every, Recheck, Spaced, Waits, build_recheck
from ies_mm.core.selection import Selection
from ies_mm.core.standing import Standing
from ies_mm.core.thresholds import (
    Budget,
    Fixed,
    Progress,
    Relative,
    Threshold,
)

__all__ = [
    'Budget',
    'Criterion',
    'Every',
    'Fixed',
    'LossHistory',
    'Progress',
    'PruningPeriod',
    'PruningSchedule',
    'Quota',
    'Recheck',
    'Relative',
    'Selection',
    'Spaced',
    'Standing',
    'Threshold',
    'Waits',
    'build_recheck',
    'may_prune',
]
