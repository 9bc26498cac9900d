"""The selection methods, one folder each.

To add a method, say ``mine``:

- ``ies_mm/methods/mine/``: ``__init__.py``; ``rule.py``, a pure ``Method``
  (``ies_mm/methods/method.py``) with its own ``name``; ``hook.py``, its
  arguments in a config; ``README.md``, its card;
- ``ies_mm/engine.py``: import the hook, and add it to ``__all__``;
- ``ies_mm/report/reading/methods.py``: the hook in ``METHODS``;
- ``configs/_base_/methods/mine.py``: the hook under the key ``ies``, for
  ``ies-mm train --method mine``, with ``saved`` if it has a budget;
- ``docs/methods.md``: a row of the table, and one of "which method when" once
  it is measured;
- ``docs/reference.md``, ``mkdocs.yml`` and ``CHANGELOG.md``: a line each;
- ``tests/method_cases.py``, if it prunes: a case in ``METHODS``, and one in
  ``OFF``, or the hook in ``NOT_OFF`` if it cannot be set to prune nothing;
- ``tests/methods/mine/``: the rule against a literal loop, in the test or in
  ``ies_mm/core/reference.py``.

A method that selects, measures or changes something within a training step
also has ``steps.py``, a subclass of ``Steps`` that its hook names in ``steps``
(see ``ies_mm/methods/selective_backprop/steps.py``); one that takes ``saved``,
an entry in ``ies_mm/commands/tournament_rounds/entries.py`` and one in
``_SOLVERS`` of ``ies_mm/configuring/speedups.py``. If a place is forgotten,
``tests/methods/test_a_method_is_everywhere.py`` or
``tests/docs/test_site.py`` fails and names it. A method outside this
repository needs none of this: see ``docs/own_method.md``.
"""
