"""Iteration-based trainings: passes, learning rates, prefetching."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ies_mm.errors import ConfigError
from iteration_runs import OUT, PLAIN, always, plain
from runs import (
    FixedSelection,
    epochs_of,
    instances_of,
    parameters,
    train,
    with_hook,
)
from task_runs import (
    classifier_config,
    in_iterations,
    segmentor_config,
    with_ies,
    with_sampler,
)


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('task', ['classifier', 'segmentor'])
@pytest.mark.parametrize('loop', ['epochs', 'iterations'])
def test_off_is_bit_identical_to_the_plain_run(
    folders: Path, maps: Path, tmp_path: Path, task: str, loop: str,
    workers: int,
) -> None:  # fmt: skip
    def config(name: str) -> Config:
        if task == 'classifier':
            made = classifier_config(folders, tmp_path / name)
        else:
            made = segmentor_config(maps, tmp_path / name)
        made.train_dataloader.num_workers = workers
        made.train_dataloader.persistent_workers = workers > 0
        return in_iterations(made, 7) if loop == 'iterations' else made

    expected = parameters(train(config('plain')))
    found = parameters(train(with_ies(config('ies'), delta=0)))
    start = parameters(Runner.from_cfg(config('start')))
    assert all(torch.equal(found[k], expected[k]) for k in expected)
    assert any(not torch.equal(found[k], start[k]) for k in expected)
    assert found.keys() == expected.keys()


def test_a_rate_falls_as_in_the_plain_run(
    folders: Path, tmp_path: Path
) -> None:
    """After every pass, the rate equals the plain run's."""

    class Rates(Hook):
        priority = 'LOWEST'

        def __init__(self) -> None:
            self.after: list[float] = []

        def after_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
            self.after.append(runner.optim_wrapper.get_lr()['lr'][0])

    config = plain(folders, tmp_path / 'plain')
    config.param_scheduler = [
        dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=12),
        dict(type='PolyLR', power=0.9, by_epoch=False, begin=12, end=PLAIN),
    ]
    expected, found = Rates(), Rates()
    train(config, with_hook(expected))
    config.work_dir = str(tmp_path / 'pruned')
    hook = always(OUT)
    train(
        with_sampler(config),
        lambda r: (r.register_hook(hook), r.register_hook(found)),
    )
    passes = [expected.after[5 * k + 4] for k in range(6)]
    assert found.after[4::3] == passes


@pytest.mark.parametrize('workers', [1, 2])
def test_workers_delay_a_selection_by_what_they_fetch_ahead(
    folders: Path, tmp_path: Path, workers: int
) -> None:
    config = with_sampler(plain(folders, tmp_path, 40))
    config.train_dataloader.num_workers = workers
    train(config, with_hook(always(OUT)))
    records = epochs_of(tmp_path)
    # Two batches per worker are prefetched when the pass ends.
    late = 2 * workers * 4
    second = records[1]
    assert late <= second['trained'] <= late + 12
    assert second['trained'] > 12
    assert second['excluded'] == 20 - second['trained']
    assert {r['excluded'] for r in records[2:]} == {8}
    trained = instances_of(tmp_path)['trained'].sum(axis=1)
    assert trained.tolist() == [r['trained'] for r in records][-5:]
    shown = sum(20 if k == 0 else records[k]['trained'] for k in range(8))
    assert shown == sum(r['trained'] for r in records)


def test_every_batch_is_counted_under_the_pass_it_belongs_to(
    folders: Path, tmp_path: Path
) -> None:
    """Passes of 20 in batches of 6 end within batches."""
    config = plain(folders, tmp_path, 20)
    config.train_dataloader.batch_size = 6
    hook = FixedSelection({}, keep_history=True)
    train(with_sampler(config), with_hook(hook))
    records = epochs_of(tmp_path)
    assert [r['trained'] for r in records] == [20] * 6
    assert not torch.isnan(
        torch.from_numpy(instances_of(tmp_path)['losses'])
    ).any()


def test_a_handful_of_images_makes_many_passes_of_a_batch(
    folders: Path, tmp_path: Path
) -> None:
    """With three images left, a batch of four is more than a pass."""
    config = with_sampler(plain(folders, tmp_path))
    runner = train(config, with_hook(always(list(range(17)))))
    records = epochs_of(tmp_path)
    assert [r['trained'] for r in records] == [20] + [3] * (len(records) - 1)
    assert runner.iter == 5 + 4  # 15 images of five passes


class Reader(Hook):
    """Reads the training loader, like mmpretrain's PreciseBNHook."""

    def __init__(self, when: str) -> None:
        setattr(self, when, self.read)

    def read(self, runner: Runner, *_: Any, **__: Any) -> None:
        next(iter(runner.train_dataloader))


@pytest.mark.parametrize('workers', [0, 1])
@pytest.mark.parametrize(
    'when', ['before_train', 'before_train_epoch', 'after_train_iter']
)
def test_a_hook_that_reads_the_loader_is_not_counted(
    folders: Path, tmp_path: Path, when: str, workers: int
) -> None:
    """Neither before the first batch nor between two."""
    config = with_sampler(plain(folders, tmp_path))
    config.train_dataloader.num_workers = workers
    hook = always(OUT)
    runner = train(
        config,
        lambda r: (
            r.register_hook(hook),
            r.register_hook(Reader(when), priority='LOW'),
        ),
    )
    trained = [r['trained'] for r in epochs_of(tmp_path)]
    if workers:  # They prefetch.
        assert trained[0] == 20
        assert trained[2:] == [12] * (len(trained) - 2)
        return
    assert runner.iter == 20
    assert trained == [20] + [12] * 5


def test_a_hook_that_has_persistent_workers_begin_anew(
    folders: Path, tmp_path: Path
) -> None:
    config = with_sampler(plain(folders, tmp_path))
    config.train_dataloader.update(num_workers=1, persistent_workers=True)

    def register(runner: Runner) -> None:
        runner.register_hook(always(OUT))
        runner.register_hook(Reader('after_train_iter'))

    with pytest.raises(ConfigError, match='persistent workers then restart'):
        train(config, register)


def test_an_image_shown_for_another_is_one_that_is_kept(
    folders: Path, tmp_path: Path
) -> None:
    """The pipeline rejects six images; six other kept ones remain."""
    config = with_sampler(plain(folders, tmp_path))
    config.train_dataloader.dataset.pipeline.insert(
        1, dict(type='mmengine.Refuse', images=list(range(8, 14)))
    )
    train(config, with_hook(always(OUT)))
    records = epochs_of(tmp_path)
    assert [r['trained'] + r['excluded'] for r in records] == [14] * 6
    assert [r['excluded'] for r in records] == [0] + [8] * 5
