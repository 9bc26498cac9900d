"""Processes that something outside sets apart end with a reason, or agree."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from same_runs import assert_equal
from task_runs import make_folders

TESTS = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """How each process's trainings ended."""
    results = tmp_path_factory.mktemp('disagreeing')
    folders = make_folders(tmp_path_factory.mktemp('folders'), 13)
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone']
    script = [TESTS / 'disagreeing_runs.py', folders, results]
    ended = subprocess.run(
        [*command, '--nproc_per_node=2', *script],
        env=os.environ | dict(OMP_NUM_THREADS='1'),
        capture_output=True,
        check=False,
        text=True,
        timeout=540,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return results


def ends(results: Path, name: str) -> list[Any]:
    return [
        torch.load(results / f'{name}-{rank}.pt', weights_only=False)
        for rank in (0, 1)
    ]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('order', r'other images, or in another order: number 1 is .*\w+\.'),
        ('fewer', 'process 1 has 12 images, process 0 has 13'),
        ('resumed', 'process 1 begins at iteration 0, process 0 at [1-9]'),
        ('draws', 'process 1 decided for other images after epoch 1'),
    ],
)
def test_both_end_with_the_same_reason(
    results: Path, name: str, message: str
) -> None:
    first, second = ends(results, name)
    assert first == second
    assert re.search(message, first), first


def test_the_first_process_says_what_was_switched(results: Path) -> None:
    """Both have rank 0's description from the checkpoint."""
    first, second = ends(results, 'paths')
    assert_equal(second, first, 'history and selection')
