"""The pages' examples: what they import, configure and call exists."""

import ast
import json
import re
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.registry import HOOKS

import ies_mm
from ies_mm import engine
from ies_mm.commands.program import COMMANDS
from ies_mm.configuring.reading import selection_hooks
from ies_mm.training.hook.common_arguments import taken_by

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / 'README.md',
    *sorted((ROOT / 'docs').glob('*.md')),
    *sorted((ROOT / 'ies_mm' / 'methods').glob('*/README.md')),
]
FENCED = re.compile(r'^```(\w*)\n(.*?)^```', re.MULTILINE | re.DOTALL)
INLINE = re.compile(r'`([A-Za-z]+Hook)\(([^`]*)\)`')
BASE = re.compile(r"_base_ = '(\./[\w./]+)'")
COMMAND = re.compile(r'^(?:\S*/)?ies-mm (?!-)(\S+)', re.MULTILINE)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(*languages: str) -> list[Any]:
    """Each code block, with its page and its number there."""
    return [
        pytest.param(block[2], id=f'{name_of(page)}:{number}')
        for page in PAGES
        for number, block in enumerate(FENCED.finditer(page.read_text()), 1)
        if block[1] in languages
    ]


def cells(notebook: Path) -> list[Any]:
    """The code cells of a notebook."""
    found = json.loads(notebook.read_text())['cells']
    return [
        pytest.param(''.join(cell['source']), id=f'{notebook.name}:{number}')
        for number, cell in enumerate(found, 1)
        if cell['cell_type'] == 'code'
    ]


OWN = re.compile(r'^class (\w+)', re.MULTILINE)
"""Classes that a page defines; no library has registered them."""

PYTHON = blocks('python') + cells(ROOT / 'docs' / 'tour.ipynb')
CHILDREN = [block for block in PYTHON if BASE.search(block.values[0])]


def hooks_written(tree: ast.AST) -> Iterator[dict[str, Any]]:
    """Config dicts of our hooks with only literal arguments."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == 'dict':
            try:
                written = eval(ast.unparse(node))
            except NameError:  # the class itself, as in type=IESHook
                continue
            kind = str(written.get('type'))
            if kind.endswith('Hook') and hasattr(engine, kind):
                yield written


@pytest.mark.parametrize('text', PYTHON)
def test_python_imports_what_is_there(text: str) -> None:
    for node in ast.walk(ast.parse(text)):
        named = (isinstance(node, ast.ImportFrom) and node.module) or ''
        if named.startswith('ies_mm'):
            assert isinstance(node, ast.ImportFrom)
            module = import_module(named)
            for name in node.names:
                assert hasattr(module, name.name) or find_spec(
                    f'{named}.{name.name}'
                )


@pytest.mark.parametrize('text', PYTHON)
def test_a_hook_takes_what_it_is_given(text: str) -> None:
    defined = {
        name for page in PAGES for name in OWN.findall(page.read_text())
    }
    for written in hooks_written(ast.parse(text)):
        if written['type'] in defined:
            continue
        written.pop('_delete_', None)
        HOOKS.build(written)


@pytest.mark.parametrize('text', CHILDREN)
def test_a_config_selects(text: str, tmp_path: Path) -> None:
    [base] = BASE.findall(text)
    plain = ROOT / 'configs' / 'faster_rcnn_r50_fpn_voc.py'
    (tmp_path / base).write_text(f'_base_ = {str(plain)!r}')
    (tmp_path / 'child.py').write_text(text)
    config = Config.fromfile(tmp_path / 'child.py')
    assert len(list(selection_hooks(config))) == 1
    assert config.train_dataloader.sampler.type == 'IESSampler'


@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_a_hook_in_a_sentence_has_such_arguments(page: Path) -> None:
    """Only by name, since a sentence may omit arguments."""
    for name, arguments in INLINE.findall(page.read_text()):
        hook = getattr(engine, name, None)
        if hook is not None and '...' not in arguments:
            call = ast.parse(f'hook({arguments})', mode='eval').body
            assert isinstance(call, ast.Call)
            named = {keyword.arg for keyword in call.keywords}
            assert named <= {*taken_by(hook)}


@pytest.mark.parametrize('text', blocks('', 'sh'))
def test_commands_and_their_configs_are_there(text: str) -> None:
    assert {*COMMAND.findall(text)} <= {*COMMANDS}
    for name in re.findall(r'ies_mm::([\w/]+\.py)', text):
        ies_mm.config_path(name)
    for path in re.findall(r'\b((?:tools|configs)/[\w/]+\.(?:py|sh))', text):
        assert (ROOT / path).is_file()
