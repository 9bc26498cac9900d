"""Pure tensor maths of instance selection; imports torch alone."""

from ies_mm.core.criteria import Criterion
from ies_mm.core.hardness import budget, hardest, update_hardness
from ies_mm.core.history import LossHistory
from ies_mm.core.percentile import RecentLosses
from ies_mm.core.pruning import infobatch, random_removal
from ies_mm.core.selection import Selection, may_exclude

__all__ = [
    'Criterion',
    'LossHistory',
    'RecentLosses',
    'Selection',
    'budget',
    'hardest',
    'infobatch',
    'may_exclude',
    'random_removal',
    'update_hardness',
]
