"""Re-checks of pruned images: when, and by which workers."""

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import TRANSFORMS

from ies_mm.core import Selection, Standing
from ies_mm.engine import IESHook
from ies_mm.methods.ies.rule import IES
from ies_mm.methods.method import Decision
from ies_mm.training.hook.common_arguments import COMMON
from ies_mm.training.hook.selection_hook import SelectionHook
from ies_mm.training.scoring import refresh
from ies_mm.training.scoring.scoring import score
from method_cases import config_of
from runs import epochs_of, instances_of, parameters, train, with_hook
from task_runs import in_iterations


class Flat(IES):
    """IES with a test's choice of which images are flat, and when."""

    def __init__(
        self, flat: list[int], moves: dict[int, int], **arguments: Any
    ) -> None:
        super().__init__(delta=0, **arguments)
        self.flat, self.moves = flat, moves

    def judge(self, history: Any, names: Any, standing: Standing) -> Decision:
        mastered = torch.zeros(history.instances, dtype=torch.bool)
        mastered[self.flat] = True
        moved = [i for i, when in self.moves.items() if when == standing.epoch]
        mastered[moved] = False
        due = self.due_for_training(standing)
        return Decision(mastered, Selection(~mastered | due), 0.0)


def mastered_by(*args: Any, **arguments: Any) -> SelectionHook:
    mine = {key: arguments.pop(key) for key in COMMON if key in arguments}
    method = Flat(*args, **arguments)
    return SelectionHook(method, keep_history=True, **mine)


def looks(work_dir: Path, image: int) -> dict[int, str]:
    """Epoch -> how it observed an image."""
    arrays = instances_of(work_dir)
    seen = ~np.isnan(arrays['losses'][:, image, 0])
    trained = arrays['trained'][:, image]
    return {
        epoch: 'trained' if trained[epoch - 1] else 'scored'
        for epoch in (np.flatnonzero(seen) + 1).tolist()
    }


def scored(epochs: list[int]) -> dict[int, str]:
    return {1: 'trained', **dict.fromkeys(epochs, 'scored')}


def test_checks_by_scoring_double_their_distance(
    folders: Path, tmp_path: Path
) -> None:
    hook = mastered_by(
        [2, 5], {5: 4}, refresh_interval=dict(type='Spaced', cap=4)
    )
    train(config_of(folders, tmp_path, 14), with_hook(hook))
    assert looks(tmp_path, 2) == scored([2, 4, 8, 12])
    moved = {1: 'trained', 2: 'scored', 4: 'scored', 5: 'trained'}
    later = {6: 'scored', 8: 'scored', 12: 'scored'}
    assert looks(tmp_path, 5) == moved | later
    records = epochs_of(tmp_path)
    by_epoch = [0, 2, 0, 2, 0, 1, 0, 2, 0, 0, 0, 2, 0, 0]
    assert [r['forward_only'] for r in records] == by_epoch
    assert [r['excluded'] for r in records] == [0, 2, 2, 2, 1] + [2] * 9


def test_checks_by_training_make_no_forward_pass(
    folders: Path, tmp_path: Path
) -> None:
    spaced = dict(type='Spaced', cap=4, by='training')
    hook = mastered_by([2, 5], {}, refresh_interval=spaced)
    train(config_of(folders, tmp_path, 12), with_hook(hook))
    assert looks(tmp_path, 2) == dict.fromkeys([1, 3, 6, 11], 'trained')
    records = epochs_of(tmp_path)
    assert sum(r['forward_only'] for r in records) == 0
    excluded = [2 * (e not in (1, 3, 6, 11)) for e in range(1, 13)]
    assert [r['excluded'] for r in records] == excluded
    assert [r['mastered'] for r in records] == [2] * 12
    assert records[-1]['saved'] == sum(excluded) / 12 / 20


def test_nobody_is_looked_at_when_nothing_more_is_decided(
    folders: Path, tmp_path: Path
) -> None:
    for by, epochs in (('scoring', 8), ('training', 6)):
        spaced = dict(type='Spaced', cap=4, by=by)
        hook = mastered_by([2], {}, refresh_interval=spaced)
        work_dir = tmp_path / by
        train(config_of(folders, work_dir, epochs), with_hook(hook))
        assert max(looks(work_dir, 2)) < epochs
        assert not instances_of(work_dir)['trained'][-1, 2]


def test_in_an_iteration_based_loop(folders: Path, tmp_path: Path) -> None:
    config = in_iterations(config_of(folders, tmp_path, 1), 65)
    config.train_dataloader.sampler.type = 'IESSampler'
    hook = mastered_by([2, 5], {}, refresh_interval=dict(type='Spaced', cap=4))
    train(config, with_hook(hook))
    assert looks(tmp_path, 2) == scored([2, 4, 8, 12])


def test_a_budget_is_kept_with_checks_by_training(
    folders: Path, tmp_path: Path
) -> None:
    hook = IESHook(
        delta=dict(type='Budget', saved=0.4), order=0, window=1,
        refresh_interval=dict(type='Spaced', cap=4, by='training'),
    )  # fmt: skip
    train(config_of(folders, tmp_path, 20), with_hook(hook))
    records = epochs_of(tmp_path)
    assert records[-1]['saved'] == pytest.approx(0.4, abs=0.01)
    assert sum(r['forward_only'] for r in records) == 0


@TRANSFORMS.register_module()
class SayWhoLoads:
    """Appends the id of the process that loads an image to a file."""

    def __init__(self, file: str) -> None:
        self.file = file

    def __call__(self, results: dict) -> dict:
        with Path(self.file).open('a') as file:
            file.write(f'{os.getpid()}\n')
        return results


class Loaders(Hook):
    """Records which processes load images after an epoch's last iteration."""

    priority = 'LOWEST'

    def __init__(self, file: Path, switch: int = 0) -> None:
        self.file, self.switch = file, switch
        self.pids: list[set[str]] = []

    def after_train_iter(self, runner: Any, *args: Any, **kw: Any) -> None:
        self.before = len(self.file.read_text().split())

    def after_train_epoch(self, runner: Any) -> None:
        loaded = self.file.read_text().split()
        self.pids.append(set(loaded[self.before :]))
        if runner.epoch + 1 == self.switch:
            runner.train_dataloader._iterator = None


def scoring_processes(
    folders: Path, work_dir: Path, persistent: bool, switch: int = 0
) -> list[set[str]]:
    config = config_of(folders, work_dir, 6)
    loader = config.train_dataloader
    loader.num_workers, loader.persistent_workers = 1, persistent
    file = work_dir.with_suffix('.pids')
    loader.dataset.pipeline.insert(0, dict(type='SayWhoLoads', file=str(file)))
    seen = Loaders(file, switch)
    hook = mastered_by([2, 5], {})
    train(config, lambda runner: [
        runner.register_hook(hook), runner.register_hook(seen),
    ])  # fmt: skip
    return seen.pids[1:]


def test_workers_that_persist_score_too(folders: Path, tmp_path: Path) -> None:
    epochs = scoring_processes(folders, tmp_path / 'run', persistent=True)
    assert all(len(pids) == 1 for pids in epochs)
    assert len(set.union(*epochs)) == 1
    assert str(os.getpid()) not in set.union(*epochs)


def test_others_start_anew(folders: Path, tmp_path: Path) -> None:
    epochs = scoring_processes(folders, tmp_path / 'run', persistent=False)
    assert len(set.union(*epochs)) == len(epochs) == 5


def test_they_start_anew_with_the_trainings(
    folders: Path, tmp_path: Path
) -> None:
    """Like after a hook that switches the pipeline."""
    epochs = scoring_processes(folders, tmp_path / 'run', True, switch=3)
    assert len(set.union(*epochs)) == 2
    assert epochs[0] == epochs[1] != epochs[2] == epochs[3] == epochs[4]


def test_workers_are_gone_after_the_training(
    folders: Path, tmp_path: Path
) -> None:
    [pid] = set.union(*scoring_processes(folders, tmp_path / 'run', True))
    # On a busy machine it takes a moment to end.
    deadline = time.monotonic() + 30
    while Path(f'/proc/{pid}').exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


def still(folders: Path, work_dir: Path) -> Config:
    config = config_of(folders, work_dir, 3)
    config.train_dataloader.dataset.pipeline.pop(1)
    return config


def test_the_size_of_scored_batches_changes_nothing_else(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def noted(runner: Any, batch: Any, expected: bool) -> Any:
        sizes.append(len(batch['inputs']))
        return score(runner, batch, expected)

    monkeypatch.setattr(refresh, 'score', noted)
    runs = {}
    for size, scored in ((None, [4, 1]), (1, [1] * 5), (16, [5])):
        sizes.clear()
        work_dir = tmp_path / str(size)
        hook = mastered_by([0, 3, 4, 7, 8], {}, scoring=dict(batch_size=size))
        runner = train(still(folders, work_dir), with_hook(hook))
        runs[size] = parameters(runner), instances_of(work_dir)['losses']
        assert sizes == scored * 2
    for weights, losses in runs.values():
        assert all(torch.equal(weights[k], runs[None][0][k]) for k in weights)
        np.testing.assert_allclose(losses, runs[None][1], rtol=1e-5)
