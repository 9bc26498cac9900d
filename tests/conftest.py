"""One thread per test process, and data that many tests read."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

TESTS = Path(__file__).parent
sys.path.insert(0, str(TESTS))
torch.set_num_threads(1)


@pytest.fixture(scope='session')
def voc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """VOCdevkit/ of 12 training and 6 test images."""
    root = tmp_path_factory.mktemp('voc')
    tool = TESTS.parent / 'tools' / 'make_voc.py'
    subprocess.run(
        [sys.executable, tool, root, '--images', '12', '--seed', '3'],
        check=True,
        capture_output=True,
    )
    return root / 'VOCdevkit'
