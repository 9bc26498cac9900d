"""What a selection method of one's own is made of.

A rule is a subclass of :class:`Method`, which is pure: losses in, a
:class:`Decision` out. A registered subclass of :class:`SelectionHook` brings
it into a config. docs/own_method.md has worked examples.

What is exported here is public: names, arguments, and the methods and
attributes that the docstrings list. A change comes with a minor version, is in
CHANGELOG.md, and leaves what was there working for one minor version longer,
with a ``DeprecationWarning``. A method that is added to :class:`Method` has a
default. All else in ``ies_mm.training`` may change at any time.
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
