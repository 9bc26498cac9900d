"""The selection methods, one folder each: rule, hook and card.

To add a method, create a folder with ``rule.py`` (pure, a ``Method`` of
``method.py``), ``hook.py`` (its config arguments) and ``README.md``, add a
line to ``ies_mm/engine.py``, its name to ``ies_mm/report/reading/methods.py``,
and a file to ``configs/_base_/methods/`` for ``ies-mm train --method``.
User-defined methods need none of that: see ``ies_mm/selection.py``.
"""
