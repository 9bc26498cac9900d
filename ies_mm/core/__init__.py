"""Pure tensor maths of instance selection; imports torch alone."""

from ies_mm.core.criteria import Criterion
from ies_mm.core.history import LossHistory
from ies_mm.core.selection import Selection, may_exclude

__all__ = ['Criterion', 'LossHistory', 'Selection', 'may_exclude']
