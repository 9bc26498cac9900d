"""A very long training needs no more memory than a short one."""

import gc
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

import ies_mm
from runs import train
from same_runs import by_epochs
from task_runs import in_iterations, make_folders, with_ies, with_sampler

IMAGES = 100
EPOCHS = 140
OURS = str(Path(ies_mm.__file__).parent / '*')


class Memory(Hook):
    """Records live bytes every 20 epochs.

    Counts objects created by our code, and all tensors, whose storage
    Python does not count.
    """

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.bytes: list[int] = []

    def before_train(self, runner: Runner) -> None:
        tracemalloc.start()

    def after_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        if (runner.iter + 1) % 20 == 0:
            gc.collect()
            ours = tracemalloc.Filter(True, OURS)
            found = tracemalloc.take_snapshot().filter_traces([ours])
            self.bytes.append(sum(t.size for t in found.traces) + tensors())

    def after_train(self, runner: Runner) -> None:
        tracemalloc.stop()


def tensors() -> int:
    alive = [o for o in gc.get_objects() if isinstance(o, torch.Tensor)]
    return sum(tensor.numel() * tensor.element_size() for tensor in alive)


@pytest.mark.parametrize('loop', ['epochs', 'iterations'])
def test_memory_is_flat(tmp_path: Path, loop: str) -> None:
    """Ten thousand epochs would add less than a megabyte."""
    folders = make_folders(tmp_path / 'folders', IMAGES)
    config = by_epochs(folders, tmp_path / 'run')
    config.train_dataloader.batch_size = IMAGES
    config.default_hooks.checkpoint.interval = 10**6
    config.train_cfg.max_epochs = EPOCHS
    if loop == 'iterations':
        config = with_sampler(in_iterations(config, EPOCHS))
    memory = Memory()
    runner = train(
        with_ies(config, delta=1e-9), lambda r: r.register_hook(memory)
    )
    assert runner.iter == EPOCHS
    # From epoch 40 on; a few objects more or less at either end are noise.
    growth = (memory.bytes[-1] - memory.bytes[1]) / 100
    assert growth * 10_000 < 2**20
