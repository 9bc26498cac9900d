"""The selection methods, a folder each: rule, hook, card.

A new one is a folder with ``rule.py`` (pure, a ``Method`` of ``method.py``),
``hook.py`` (its arguments in a config) and ``README.md``, a line in
``ies_mm/engine.py``, its name in ``ies_mm/report/reading/methods.py``, and a
file in ``configs/_base_/methods/`` for ``ies-mm train --method``. One of a
user's own needs none of that: see ``ies_mm/selection.py``.
"""
