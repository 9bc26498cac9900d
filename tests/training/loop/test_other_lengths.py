"""Runs resumed with another length, batch size or learning rate."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ies_mm.engine import IESHook
from ies_mm.training.data.shown_images import batch_instances
from iteration_runs import IMAGES, OUT, Ends, always, plain
from runs import FixedSelection, epochs_of, train
from same_runs import assert_equal
from task_runs import classifier_config, with_sampler

FINAL = 1e-4
SAVED = 0.3


class Noted(Ends):
    """Records the trained images and the warnings."""

    def __init__(self) -> None:
        super().__init__()
        self.trained: list[int] = []
        self.warned: list[str] = []

    def before_run(self, runner: Runner) -> None:
        warning = runner.logger.warning
        runner.logger.warning = lambda message, *rest: (
            self.warned.append(message) or warning(message, *rest)
        )

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, **_: Any
    ) -> None:
        super().after_train_iter(runner)
        self.trained += batch_instances(data_batch).tolist()


def go(config: Config, hook: Hook) -> tuple[Runner, Noted]:
    noted = Noted()

    def register(runner: Runner) -> None:
        runner.register_hook(hook)
        runner.register_hook(noted)

    return train(config, register), noted


def budget() -> IESHook:
    delta = dict(type='Budget', saved=SAVED)
    return IESHook(delta, order=0, window=1, keep_history=True)


def by_length(folders: Path, place: Path, loop: str, length: int) -> Config:
    """A training of some passes, with one of the two loops."""
    if loop == 'epochs':
        config = classifier_config(folders, place)
        config.train_cfg.max_epochs = length
    else:
        config = plain(folders, place, 5 * length)
        config.default_hooks.checkpoint.interval = 1
    return with_sampler(config)


@pytest.mark.parametrize('loop', ['epochs', 'iterations'])
@pytest.mark.parametrize('length', [5, 9])
def test_a_budget_follows_the_new_length(
    folders: Path, tmp_path: Path, loop: str, length: int
) -> None:
    """Planned for seven epochs, resumed after the third."""
    go(by_length(folders, tmp_path, loop, 7), budget())
    config = by_length(folders, tmp_path, loop, length)
    records = epochs_of(tmp_path)
    done = sum(-(-r['trained'] // 4) for r in records[:3])
    name = f'epoch_{3}.pth' if loop == 'epochs' else f'iter_{done}.pth'
    config.resume, config.load_from = True, str(tmp_path / name)
    _, noted = go(config, budget())
    records = epochs_of(tmp_path)
    epochs = [r['epoch'] for r in records]
    # The last batch may exceed a pass of few images.
    assert epochs[:length] == list(range(1, length + 1))
    assert len(epochs) <= length + (loop == 'iterations')
    assert abs(records[length - 1]['saved'] - SAVED) < 0.1
    assert {r['trained'] + r['excluded'] for r in records} == {IMAGES}
    unit, size = ('epochs', 1) if loop == 'epochs' else ('iters', 5)
    said = f'max_{unit}={size * length} (was {size * 7})'
    assert sum(said in message for message in noted.warned) == 1


def in_batches(folders: Path, place: Path, size: int) -> Config:
    config = with_sampler(plain(folders, place))
    config.train_dataloader.batch_size = size
    config.default_hooks.checkpoint.interval = 8
    config.param_scheduler = [
        dict(type='PolyLR', eta_min=FINAL, by_epoch=False, end=30)
    ]
    return config


@pytest.mark.parametrize(('before', 'after'), [(4, 2), (2, 4), (4, 6)])
@pytest.mark.parametrize('out', [[], OUT])
def test_iterations_that_are_left_are_trained_with_another_batch_size(
    folders: Path, tmp_path: Path, before: int, after: int, out: list[int]
) -> None:
    """As after a change of the number of processes; within a pass."""
    _, first = go(in_batches(folders, tmp_path, before), always(out))
    config = in_batches(folders, tmp_path, after)
    config.resume = True
    config.load_from = str(tmp_path / 'iter_8.pth')
    runner, noted = go(config, always(out))
    if not out:
        assert runner.iter == 30
    assert 8 < runner.iter <= 30
    assert noted.rate == pytest.approx(FINAL)
    assert any(
        f'{after} images per iteration on 1 processes (was {before}): the '
        in message for message in noted.warned
    )  # fmt: skip
    shown = first.trained[: 8 * before] + noted.trained
    counts = Counter(shown)
    active = [counts[i] for i in range(IMAGES) if i not in out]
    assert max(active) - min(active) <= 1
    for record in epochs_of(tmp_path)[1:]:
        assert record['trained'] == IMAGES - len(out)


def test_a_run_that_was_changed_goes_on_once_more(
    folders: Path, tmp_path: Path
) -> None:
    """From a checkpoint of a changed run: it ends the same."""
    go(in_batches(folders, tmp_path, 4), always(OUT))
    ends = []
    for name in ('iter_8.pth', 'iter_16.pth'):
        config = in_batches(folders, tmp_path, 2)
        config.resume, config.load_from = True, str(tmp_path / name)
        runner, noted = go(config, always(OUT))
        ends.append((runner.iter, noted.rate))
    assert ends[1] == ends[0]
    assert not [m for m in noted.warned if 'images per iteration' in m]


def test_scaled_learning_rates_are_the_plain_runs(
    folders: Path, tmp_path: Path
) -> None:
    """MMEngine scales them by the batch size."""
    rates, found = [], []
    for name in ('plain', 'off'):
        config = classifier_config(folders, tmp_path / name)
        config.auto_scale_lr = dict(enable=True, base_batch_size=16)
        runner = train(config) if name == 'plain' else None
        if runner is None:
            hook = FixedSelection({})
            runner, _ = go(with_sampler(config), hook)
        rates.append(runner.optim_wrapper.get_lr()['lr'])
        found.append(runner.model.state_dict())
    assert rates == [[0.1 * 4 / 16]] * 2
    assert_equal(*found)


@pytest.mark.parametrize(
    ('after', 'drop_last', 'trained'), [(11, False, 13), (16, True, 16)]
)
def test_epochs_with_another_batch_size_are_filled_anew(
    folders: Path, tmp_path: Path, after: int, drop_last: bool, trained: int
) -> None:
    """12 images: a batch of one more, or none at all, cannot be trained."""
    go(by_length(folders, tmp_path, 'epochs', 4), always(OUT))
    config = by_length(folders, tmp_path, 'epochs', 4)
    config.train_dataloader.update(batch_size=after, drop_last=drop_last)
    config.resume, config.load_from = True, str(tmp_path / 'epoch_2.pth')
    _, noted = go(config, always(OUT))
    assert len(noted.trained) == 2 * trained


@pytest.mark.parametrize('loop', ['epochs', 'iterations'])
def test_a_run_that_mastered_everything_goes_on_with_another_delta(
    folders: Path, tmp_path: Path, loop: str
) -> None:
    """As the message of its end advises."""
    hook = IESHook(1e9, order=0, window=1)
    go(by_length(folders, tmp_path, loop, 5), hook)
    ended = epochs_of(tmp_path)
    assert len(ended) < 5
    assert ended[-1]['mastered'] == IMAGES
    config = by_length(folders, tmp_path, loop, 5)
    config.resume = True
    go(config, IESHook(1e-9, order=0, window=1))
    assert [r['trained'] for r in epochs_of(tmp_path)] == [IMAGES] * 5


def test_with_the_same_delta_it_stays_ended(
    folders: Path, tmp_path: Path
) -> None:
    for resume in (False, True):
        config = by_length(folders, tmp_path, 'epochs', 5)
        config.resume = resume
        go(config, IESHook(1e9, order=0, window=1))
        assert len(epochs_of(tmp_path)) == 2
