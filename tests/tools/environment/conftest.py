"""A copy of the set-up with a fake pip."""

import shutil
import sys
from pathlib import Path

import pytest

from fake_set_up import FAKE_PYTHON, ROOT, pins


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with nothing but the set-up."""
    root = tmp_path / 'project'
    (root / 'tools').mkdir(parents=True)
    (root / 'requirements').mkdir()
    shutil.copy(ROOT / 'tools' / 'setup_env.py', root / 'tools')
    room = Path('tools', 'environment')
    shutil.copytree(ROOT / room, root / room)
    shutil.copy(ROOT / 'requirements' / 'constraints.txt', pins(root))
    monkeypatch.setenv('IES_MM_CACHE', str(tmp_path / 'cache'))
    monkeypatch.delenv('CXX', raising=False)
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    return root


@pytest.fixture
def with_venv(project: Path) -> Path:
    """The project with a .venv whose Python is the fake."""
    folder = project / '.venv' / 'bin'
    folder.mkdir(parents=True)
    fake = folder / 'python'
    fake.write_text(FAKE_PYTHON.format(python=sys.executable))
    fake.chmod(0o755)
    # The test machine may lack the disk space or the compiler.
    lenient = project / 'tools' / 'environment' / 'checks.py'
    lenient.write_text('def first_problem(venv, constraints): return None\n')
    return project
