"""The selection methods, a folder each: rule, hook, card.

A new one is a folder with ``rule.py`` (pure, a ``Method`` of ``method.py``),
``hook.py`` (its arguments in a config) and ``README.md``, and a line in
``ies_mm/engine.py``.
"""
