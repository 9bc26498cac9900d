"""Building blocks for custom selection methods.

A rule is a subclass of :class:`Method`, which is pure: losses in, a
:class:`Decision` out. A registered subclass of :class:`SelectionHook` makes it
available to configs. docs/own_method.md has worked examples.

Everything exported here is public API: names, arguments, and the methods and
attributes that the docstrings list. It changes only in minor versions, with an
entry in CHANGELOG.md, and the old form keeps working for one more minor
version with a ``DeprecationWarning``. New methods of :class:`Method` come with
a default. The rest of ``ies_mm.training`` may change at any time.
"""

from ies_mm.core import LossHistory, Selection, Standing
from ies_mm.methods.method import Decision, Method
from ies_mm.training.hook.selection_hook import SelectionHook

__all__ = [
    'Decision',
    'LossHistory',
    'Method',
    'Selection',
    'SelectionHook',
    'Standing',
]
