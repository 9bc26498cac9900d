"""The selection methods, one folder each.

To add a method, say ``mine``:

- ``ies_mm/methods/mine/``: ``__init__.py``; ``rule.py``, a pure ``Method``
  (``method.py``); ``hook.py``, its config arguments; ``README.md``, its card;
- ``ies_mm/engine.py``: import the hook, and add it to ``__all__``;
- ``ies_mm/report/reading/methods.py``: its name in ``METHODS``;
- ``configs/_base_/methods/mine.py``, for ``ies-mm train --method mine``;
- ``mkdocs.yml`` and ``docs/methods.md``: a line each;
- ``tests/method_cases.py`` and ``tests/methods/mine/``.

``tests/methods/test_a_method_is_everywhere.py`` fails until the parts are in
place. A method outside this repository needs none of them: see
``ies_mm/selection.py``.
"""
