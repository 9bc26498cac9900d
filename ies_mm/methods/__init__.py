"""The selection methods, one folder each.

To add a method, say ``mine``:

- ``ies_mm/methods/mine/``: ``__init__.py``; ``rule.py``, a pure ``Method``
  (``method.py``); ``hook.py``, its config arguments; ``README.md``, its card;
- ``ies_mm/engine.py``: import the hook, and add it to ``__all__``;
- ``ies_mm/report/reading/methods.py``: its name in ``METHODS``;
- ``configs/_base_/methods/mine.py``, with the hook under the key ``ies``, for
  ``ies-mm train --method mine``;
- ``docs/reference.md``, ``docs/methods.md``, ``mkdocs.yml`` and
  ``CHANGELOG.md``: a line each;
- ``tests/method_cases.py`` and ``tests/methods/mine/``.

A method that selects within a batch also needs a subclass of ``Steps``
(``selective_backprop/steps.py``). Two tests fail until hook, config, card and
pages are in place: ``tests/methods/test_a_method_is_everywhere.py`` and
``tests/docs/test_site.py``. A method outside this repository needs none of
this: see ``ies_mm/selection.py``.
"""
