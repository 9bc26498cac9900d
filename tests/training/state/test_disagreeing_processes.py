"""Processes that something outside sets apart end with a reason, or agree."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from commands import in_two_processes
from same_runs import assert_equal
from task_runs import make_folders

TESTS = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """How each process's trainings ended."""
    results = tmp_path_factory.mktemp('disagreeing')
    folders = make_folders(tmp_path_factory.mktemp('folders'), 13)
    in_two_processes(TESTS / 'disagreeing_runs.py', folders, results)
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
        ('batches', 'epoch 1, .* makes 2 batches in one .* and 3 in another'),
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
