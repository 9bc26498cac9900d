"""Pure tensor maths of instance selection; imports torch alone."""

from ies_mm.core.criteria import Criterion
from ies_mm.core.hardness import budget, hardest, update_hardness
from ies_mm.core.history import LossHistory
from ies_mm.core.percentile import RecentLosses
from ies_mm.core.pruning import infobatch, random_removal
from ies_mm.core.rechecks import Every, Recheck, Spaced, Waits, build_recheck
from ies_mm.core.selection import Course, Selection, may_exclude
from ies_mm.core.soft import soft_removal
from ies_mm.core.thresholds import (
    Budget,
    Fixed,
    Progress,
    Relative,
    Threshold,
)

__all__ = [
    'Budget',
    'Course',
    'Criterion',
    'Every',
    'Fixed',
    'LossHistory',
    'Progress',
    'RecentLosses',
    'Recheck',
    'Relative',
    'Selection',
    'Spaced',
    'Threshold',
    'Waits',
    'budget',
    'build_recheck',
    'hardest',
    'infobatch',
    'may_exclude',
    'random_removal',
    'soft_removal',
    'update_hardness',
]
