"""The command tools/coverage.py and its page."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch import nn

from commands import call
from ies_mm.losses.capture.registry import adapter_for, check_not_refused

TOOLS = Path(__file__).resolve().parents[2] / 'tools'


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    page = tmp_path / 'page.md'
    result = call(TOOLS / 'coverage.py', '--family', 'LeNet', '--out', page)
    assert result.returncode == 0
    assert result.stdout.splitlines() == [
        f'{setting}: mmpretrain/LeNet: exact'
        for setting in ('small', 'large', 'processes')
    ]
    text = page.read_text()
    row = '| **LeNet** | `lenet/lenet5_mnist.py` | cls_head | exact | exact |'
    assert f'\n{row} exact | ' in text
    assert '\n## mmpretrain\n| family |' in text
    assert '**1 of 1 named families are exact**' in text
    assert f'torch {torch.__version__}, mmengine ' in text


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return tmp_path / 'coverage.md'


@pytest.fixture
def command(
    tool: Any, monkeypatch: pytest.MonkeyPatch, page: Path
) -> Callable[..., str]:
    """Run the command on synthetic rows; return its page."""
    path = TOOLS / 'coverage.py'
    spec = spec_from_file_location('coverage_tool', path)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)

    def run(verdict: str, *arguments: str) -> str:
        row = tool('rows').Row
        monkeypatch.setattr(
            module, 'isolated', lambda family, *how: row(family, verdict)
        )
        monkeypatch.setattr(
            module, 'isolated_training', lambda family: row(family, verdict)
        )
        monkeypatch.setattr(
            sys, 'argv', ['coverage.py', '--out', str(page), *arguments]
        )
        module.main()
        return page.read_text()

    return run


def verdicts(text: str, family: str) -> list[str]:
    """The page's verdicts on a family, by setting."""
    row = next(line for line in text.splitlines() if f'**{family}**' in line)
    return row.split(' | ')[3:7]


def test_the_command_fails_where_anything_is_wrong(command: Any) -> None:
    for verdict in ('exact', 'share-exact', 'refused', 'not built'):
        command(verdict, '--family', 'LeNet')
    with pytest.raises(SystemExit, match='wrong: LeNet'):
        command('wrong', '--family', 'LeNet')


def test_the_command_refuses_a_family_that_is_not_there(
    command: Any, capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit):
        command('exact', '--family', 'AlexNe')
    assert "error: there is no family 'AlexNe'\n" in capsys.readouterr().err


def test_resuming_keeps_the_rows_of_the_same_code_alone(
    command: Any, monkeypatch: Any, tool: Any
) -> None:
    small = ('--setting', 'small', '--family', 'LeNet')
    command('exact', *small)
    text = command('refused', *small, 'VGG', '--resume')
    assert verdicts(text, 'LeNet') == ['exact', '', '', '']
    assert verdicts(text, 'VGG') == ['refused', '', '', '']
    monkeypatch.setattr(tool('kept'), 'key', lambda *_: 'of other code')
    text = command('not built', *small, '--resume')
    assert verdicts(text, 'LeNet') == ['not built', '', '', '']


def test_the_page_has_the_rows_of_other_runs(
    command: Any, monkeypatch: Any, tool: Any, page: Path
) -> None:
    command('exact', '--setting', 'small', '--family', 'LeNet')
    monkeypatch.setattr(tool('kept'), 'key', lambda *_: 'of later code')
    for _ in range(2):
        text = command('refused', '--setting', 'large', '--family', 'LeNet')
        assert verdicts(text, 'LeNet') == ['(exact)', 'refused', '', '']
    assert '**0 of 1 named families are exact**' in text
    assert '- 2 images: 1 exact; of all 1 rows 1 exact' in text
    assert '- 2 processes: 1 not tried; ' in text
    assert len(page.with_suffix('.jsonl').read_text().splitlines()) == 2


def test_a_row_names_no_place_of_this_machine(
    tool: Any, tmp_path: Path
) -> None:
    kept = tool('kept')
    family = tool('listed').families('mmdet')[0]
    note = 'file "/home/me/.venv/lib/site-packages/mmdet/a.py" is not there'
    row = tool('rows').Row(family, 'not built', note)
    kept.keep(row, 'small', tmp_path / 'rows.jsonl')
    found = kept.kept(tmp_path / 'rows.jsonl')[family]['small'].row
    assert found.note == 'file "mmdet/a.py" is not there'


def test_trainings_have_a_column_of_their_own(command: Any) -> None:
    command('exact', '--family', 'LeNet')
    text = command('trains', '--family', 'LeNet', '--train', '--resume')
    assert verdicts(text, 'LeNet') == ['exact', 'exact', 'exact', 'trains']
    assert '**1 of 1 named families are exact**' in text
    assert '- training: 1 trains; of all 1 rows 1 trains' in text


def test_a_row_depends_on_the_adapters_of_its_own_library(
    tool: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = tool('kept')
    monkeypatch.setattr(kept, '_ROOT', tmp_path)
    key, libraries = kept.key.__wrapped__, tool('listed').LIBRARIES

    def changed(folder: str) -> set[str]:
        before = {library: key(library, 'small') for library in libraries}
        file = tmp_path / 'ies_mm/losses' / folder / 'adapter.py'
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text('ONE = 1')
        return {
            name for name in libraries if key(name, 'small') != before[name]
        }

    assert changed('mmpose') == set()
    assert changed('mmpretrain') == {'mmpretrain'}
    assert changed('mmseg') == {'mmseg'}
    assert changed('mmdet') == {'mmdet', 'mmseg'}
    assert changed('rows') == set(libraries)


def test_all_has_a_row_for_every_config(
    command: Any, capsys: pytest.CaptureFixture
) -> None:
    text = command('exact', '--all', '--library', 'mmseg')
    assert text.count('\n| ') > 500
    assert '`fcn/fcn_r50-d8_4xb4-40k_voc12aug-512x512.py`' in text


def test_all_needs_a_page_of_its_own() -> None:
    result = call(TOOLS / 'coverage.py', '--all')
    assert result.returncode == 2
    assert 'error: --all writes a separate page: name it with' in result.stderr


def test_every_folder_of_configs_has_a_row(tool: Any) -> None:
    families = tool('listed')
    for library in families.LIBRARIES:
        rows = families.families(library)
        assert all(row.path.is_file() for row in rows)
        shown = {row.config.partition('/')[0] for row in rows}
        shipped = {
            folder.name
            for folder in families.config_root(library).iterdir()
            if any(folder.glob('*.py'))
        }
        assert shipped - shown <= {'_base_', 'common'}
        assert len({row.name for row in rows}) == len(rows)


ELSEWHERE = {
    'BasePanopticFusionHead',  # A base class without a loss.
    'HuggingFaceClassifier',  # tests/losses/test_classification_headless.py
    'TimmClassifier',
}


@pytest.mark.parametrize('library', ['mmdet', 'mmseg', 'mmpretrain'])
def test_every_head_that_an_adapter_takes_has_a_row(
    tool: Any, library: str
) -> None:
    """Including subclasses of the heads that have an adapter."""
    import_module(f'{library}.models')
    check_not_refused(nn.Module())  # which loads the adapters
    registry = import_module(f'{library}.registry').MODELS
    taken = {
        name
        for name, head in registry.module_dict.items()
        if isinstance(head, type)
        and head.__module__.startswith(f'{library}.')
        and adapter_for(head)
    }
    shown: set[str] = set()
    for row in tool('listed').families(library):
        with suppress(Exception):  # some configs cannot be read
            shown |= types_of(Config.fromfile(row.path).get('model', {}))
        shown |= types_of(row.changes)
    assert taken - shown <= ELSEWHERE
    assert len(taken) > 10


def types_of(config: Any) -> set[str]:
    """All types in a model's config, at any depth."""
    if isinstance(config, dict):
        kind = config.get('type', '')
        name = kind if isinstance(kind, str) else kind.__name__
        inner = [types_of(value) for value in config.values()]
        return {name.split('.')[-1]}.union(*inner)
    if isinstance(config, list | tuple):
        return set().union(*map(types_of, config))
    return set()


def test_the_command_is_not_taken_for_the_package_of_its_name() -> None:
    """numba looks for it, from any command in that folder."""
    code = (
        f'import sys; sys.path.insert(0, {str(TOOLS)!r})\n'
        'import mmdet.datasets\n'
        "assert 'coverage' not in sys.modules"
    )
    subprocess.run([sys.executable, '-c', code], check=True)
