"""The wheel, installed next to OpenMMLab without access to the checkout."""

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

import ies_mm
from task_runs import classifier_config

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ('ies_mm', 'configs', 'pyproject.toml', 'README.md', 'LICENSE')
Call = Callable[..., str]

SESSION = """
from pathlib import Path
from mmengine.config import Config
import ies_mm
from ies_mm.commands.program import main

assert 'source' not in Path(ies_mm.__file__).parts
main(['train', 'plain.py', '--method', 'ies', '--cfg-options',
      'default_hooks.ies.dry_run=True', 'default_hooks.ies.keep_history=True'])
main(['compare', 'run_ies'])
main(['calibrate', 'run_ies', '--images', '8'])
assert Config.fromfile('child.py').default_hooks.ies.type == 'IESHook'
"""
"""A single process for everything, since importing OpenMMLab is slow."""

CHILD = "_base_ = __import__('ies_mm').config_path('ies_faster_rcnn_voc.py')"


@pytest.fixture(scope='module')
def call(tmp_path_factory: pytest.TempPathFactory) -> Call:
    """Run a program of a fresh environment in its own folder."""
    root = tmp_path_factory.mktemp('package')
    environment = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
    elsewhere = root / 'elsewhere'
    elsewhere.mkdir()

    def run(*command: object) -> str:
        done = subprocess.run(
            list(map(str, command)), cwd=elsewhere, env=environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    python = _environment(root / 'env')
    pip = (sys.executable, '-m', 'pip', '-q')
    wheel = ('wheel', '--no-deps', '--no-index', '--no-build-isolation')
    run(*pip, *wheel, '-w', root, _copy(root / 'source'))
    [built] = root.glob('*.whl')
    options = ('--no-deps', '--no-index', '--ignore-installed')
    run(*pip, '--python', python, 'install', *options, built)
    return lambda name, *words: run(python.with_name(name), *words)


def _copy(source: Path) -> Path:
    """Copy what a build reads, since it would leave files in the checkout."""
    source.mkdir()
    for name in SHIPPED:
        if (ROOT / name).is_file():
            shutil.copy(ROOT / name, source)
        else:
            shutil.copytree(ROOT / name, source / name, symlinks=True)
    return source


def _environment(folder: Path) -> Path:
    """An environment with our libraries, but without our checkout."""
    venv.create(folder)
    [site] = folder.glob('lib/python*/site-packages')
    libraries = [path for path in sys.path if path.endswith('-packages')]
    (site / 'beside.pth').write_text('\n'.join(libraries))
    return folder / 'bin' / 'python'


def test_it_trains_compares_and_calibrates_in_another_folder(
    call: Call, folders: Path
) -> None:
    here = Path(call('python', '-c', 'print(__import__("os").getcwd())')[:-1])
    config = classifier_config(folders, Path('run'))
    config.train_cfg.max_epochs = 9
    config.dump(here / 'plain.py')
    (here / 'child.py').write_text(CHILD)
    printed = call('python', '-c', SESSION)
    assert 'written to work_dirs/compare' in printed
    assert 'delta to try' in printed
    assert (here / 'run_ies' / 'ies' / 'epochs.jsonl').is_file()


def test_the_program_is_of_the_package_s_version(call: Call) -> None:
    assert call('ies-mm', '--version') == f'ies-mm {ies_mm.__version__}\n'
    metadata = "__import__('importlib.metadata').metadata.version('ies-mm')"
    printed = call('python', '-c', f'print({metadata})')
    assert printed == f'{ies_mm.__version__}\n'


def test_every_config_is_in_it(call: Call) -> None:
    shipped = call('python', '-c', 'print(__import__("ies_mm").__path__[0])')
    package = Path(shipped[:-1])
    assert _configs(package / '.mim' / 'configs') == _configs(ROOT / 'configs')
    assert (package / 'py.typed').is_file()


def _configs(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob('*.py')}
