"""A method is a folder, and a line in each place that lists methods."""

import re
from inspect import signature
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import HOOKS

from ies_mm import engine, methods
from ies_mm.commands.tournament_rounds.entries import ENTRIES
from ies_mm.configuring import speedups
from ies_mm.report.reading.methods import METHODS, OBSERVES
from ies_mm.training.hook.selection_hook import SelectionHook
from method_cases import METHODS as CASES
from method_cases import NOT_OFF, OFF

ROOT = Path(engine.__file__).parents[1]
FOLDERS = [
    path.parent for path in (ROOT / 'ies_mm/methods').glob('*/__init__.py')
]
BESIDE = {'TrainingDynamicsHook', 'HeadOnlyHook'}
"""Hooks that no method has."""
FILES = sorted((ROOT / 'configs/_base_/methods').glob('*.py'))


def hook_of(folder: Path) -> str:
    """The hook that a folder's module defines."""
    module = f'ies_mm.methods.{folder.name}.hook'
    [name] = [
        name
        for name, found in HOOKS.module_dict.items()
        if found.__module__ == module
    ]
    return name


def test_every_folder_has_a_rule_and_a_hook() -> None:
    for folder in FOLDERS:
        for name in ('rule.py', 'hook.py', 'README.md'):
            assert (folder / name).exists(), f'{folder}: no {name}'


def test_every_hook_is_in_the_facade_and_known_to_the_report() -> None:
    hooks = {hook_of(folder) for folder in FOLDERS}
    offered = {
        name
        for name in engine.__all__
        if name.endswith('Hook') and name not in BESIDE
    }
    assert hooks == offered == {*METHODS, OBSERVES}
    assert all(issubclass(HOOKS.get(name), SelectionHook) for name in hooks)


def test_every_hook_has_a_file_for_the_command() -> None:
    written = {
        hook['type']
        for path in FILES
        for hook in Config.fromfile(path).default_hooks.values()
    }
    assert written == {*map(hook_of, FOLDERS), 'EarlyStoppingHook'}
    for folder in FOLDERS:
        path = ROOT / f'configs/_base_/methods/{folder.name}.py'
        hooks = Config.fromfile(path).default_hooks
        assert hooks.ies.type == hook_of(folder)


def test_every_folder_and_every_file_has_a_card() -> None:
    cards = {
        path.parent.name
        for path in (ROOT / 'ies_mm/methods').glob('*/README.md')
    }
    folders = {path.name for path in FOLDERS}
    variants = {
        *('ies_order0', 'ies_order1', 'ies_order3', 'ies_spaced'),
        *('random_passes', 'soft_ies_passes'),
    }
    assert folders <= cards
    assert {path.stem for path in FILES} - variants == cards


def test_every_rule_has_a_name_of_its_own() -> None:
    """Records and comparisons tell the methods apart by it."""
    cases = dict(CASES)
    names = [
        hook(**arguments).method.name for hook, arguments in cases.items()
    ]
    assert len({*names}) == len(names)


def test_the_pages_name_every_method() -> None:
    table = (ROOT / 'docs/methods.md').read_text()
    changes = (ROOT / 'CHANGELOG.md').read_text()
    for folder in FOLDERS:
        assert hook_of(folder) in changes
        if hook_of(folder) != OBSERVES:
            assert f'](../ies_mm/methods/{folder.name}/README.md)' in table


def test_every_method_is_tried() -> None:
    pruning = {name for name in METHODS if HOOKS.get(name).needs_sampler}
    assert {hook.__name__ for hook, _ in CASES} == pruning
    off = [hook for hook, _ in OFF] + NOT_OFF
    assert {hook.__name__ for hook in off} == pruning
    for folder in FOLDERS:
        tests = ROOT / 'tests/methods' / folder.name
        assert [*tests.glob('test_*.py')], f'no tests in {tests}'


def test_a_method_with_a_budget_is_in_the_tournament_and_has_a_speed_up() -> (
    None
):
    hook_of_file = {}
    for path in FILES:
        [hook] = Config.fromfile(path).default_hooks.values()
        hook_of_file[path.stem] = hook['type']
    entered = {
        hook_of_file[entry.arguments[1]]
        for entry in ENTRIES.values()
        if '--method' in entry.arguments
    }
    taking = {
        name
        for name in map(hook_of, FOLDERS)
        if 'saved' in signature(HOOKS.get(name)).parameters
    }
    assert taking <= entered
    assert taking <= {*speedups._SOLVERS}


def test_a_budget_can_be_carried_over() -> None:
    """``--method`` keeps the saved share if the file has the argument."""
    for path in FILES:
        [hook] = Config.fromfile(path).default_hooks.values()
        taken = signature(HOOKS.get(hook['type'])).parameters
        if 'saved' in taken and 'delta' not in taken:
            assert 'saved' in hook, path.name


def test_the_two_lists_name_the_same_places() -> None:
    contributing = (ROOT / 'CONTRIBUTING.md').read_text()
    _, _, after = contributing.partition('## Adding a method\n')
    section, _, _ = after.partition('\n## ')
    listed = re.findall(r'`([^`\n]+)`', section)
    assert {*re.findall(r'``([^`\n]+)``', methods.__doc__)} == {*listed}
