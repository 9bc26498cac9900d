"""Packages import only those below them (docs/design.md)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import ies_mm

ROOT = Path(ies_mm.__file__).parent
BELOW = {
    'core': '',
    'losses': '',
    'networks': '',
    'report': 'core',
    'training': 'core losses report',
    'methods': 'core losses training',
    'labels': 'report training',
    'groups': 'core training',
    'dynamics': 'core losses report training',
    'configuring': 'core methods labels training report',
    'selection': 'core methods training',
    'engine': 'configuring dynamics groups labels methods training',
    'commands': (
        'core configs configuring engine groups labels training report'
    ),
}
EVERYWHERE = {'errors', 'spelling', '__version__'}
INTERFACE = 'ies_mm.methods.method'
"""What a method is; training/ calls it."""

MODULES = sorted(
    path
    for path in ROOT.rglob('*.py')
    if path.relative_to(ROOT).parts[0].removesuffix('.py') in BELOW
)


def imported(source: str) -> Iterator[str]:
    """The modules of ours that a source imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == 'ies_mm':
            yield from (f'ies_mm.{alias.name}' for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, 'a relative import'
            yield str(node.module)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def wrong(package: str, source: str) -> list[str]:
    """Imports of packages that are not below."""
    allowed = {package, *BELOW[package].split(), *EVERYWHERE}
    ours = [name for name in imported(source) if name.startswith('ies_mm.')]
    if package == 'training':
        ours = [name for name in ours if name != INTERFACE]
    return [name for name in ours if name.split('.')[1] not in allowed]


@pytest.mark.parametrize('path', MODULES, ids=str)
def test_imports_follow_the_arrows(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0].removesuffix('.py')
    assert not wrong(package, path.read_text(encoding='utf-8'))


@pytest.mark.parametrize(
    ('package', 'source'),
    [
        ('core', 'from ies_mm.losses.context import unwrap'),
        ('losses', 'import ies_mm.training.hook'),
        ('report', 'from ies_mm import errors, training'),
        ('training', 'def f():\n    from ies_mm.methods.ies.rule import IES'),
    ],
)
def test_other_imports_are_found(package: str, source: str) -> None:
    assert len(wrong(package, source)) == 1
