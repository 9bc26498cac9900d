"""Checkpoints written by version 0.1.0 can be resumed.

``states_0_1_0.pth`` has what its hooks put into checkpoints after two passes
over 20 images (commit bad2fc3), without the weights.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from ies_mm.engine import (
    DIHCLHook,
    IESHook,
    InfoBatchHook,
    RandomRemovalHook,
    SelectiveBackpropHook,
    SmallLossRescaleHook,
    SoftIESHook,
)
from method_cases import config_of
from runs import epochs_of, train, with_hook
from task_runs import in_iterations

STATES = torch.load(
    Path(__file__).parents[2] / 'data' / 'states_0_1_0.pth', weights_only=True
)
BUDGET = dict(type='Budget', saved=0.3)
HOOKS: dict[str, Callable[[], Any]] = {
    'IES': lambda: IESHook(0.1),
    'Budget': lambda: IESHook(BUDGET, order=1, window=1),
    'Soft IES': lambda: SoftIESHook(0.3, window=2),
    'InfoBatch': lambda: InfoBatchHook(),
    'Small Loss & Rescale': lambda: SmallLossRescaleHook(),
    'Random Remove': lambda: RandomRemovalHook(0.2),
    'DIHCL': lambda: DIHCLHook(warmup=1),
    'Selective-Backprop': lambda: SelectiveBackpropHook(),
}


def config(folders: Path, work_dir: Path, loop: str, epochs: int) -> Config:
    made = config_of(folders, work_dir, epochs)
    if loop == 'iterations':
        made = in_iterations(made, 5 * epochs)
        made.train_dataloader.sampler.type = 'IESSampler'
    return made


@pytest.mark.parametrize('name', STATES)
def test_is_gone_on_with(folders: Path, tmp_path: Path, name: str) -> None:
    method, _, loop = name.partition(', ')
    first, on = tmp_path / 'first', tmp_path / 'on'
    train(config(folders, first, loop, 2), with_hook(HOOKS[method]()))
    [path] = sorted(first.glob('*_*.pth'))[-1:]
    checkpoint = torch.load(path, weights_only=False)
    assert checkpoint['meta']['iter'] == STATES[name]['iter']
    paths = '\n'.join(str(image) for image in sorted(folders.glob('*/*.png')))
    dataset = hashlib.sha256(paths.encode()).hexdigest()
    checkpoint['ies'] = STATES[name]['state'] | {'dataset': dataset}
    torch.save(checkpoint, path)
    hook = HOOKS[method]()
    further = config(folders, on, loop, 4)
    further.load_from, further.resume = str(path), True
    train(further, with_hook(hook))
    records = epochs_of(on)
    # A last batch may span a pass that is nearly all pruned, and the next.
    assert [record['epoch'] for record in records] in ([3, 4], [3, 4, 5])
    saved = STATES[name]['state']['excluded']
    excluded = [record['excluded'] for record in records]
    assert hook.session.state.excluded == saved + sum(excluded)
