"""Where an iteration-based training ends, and what comes last."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from iteration_runs import IMAGES, OUT, PLAIN, Ends, always, plain
from runs import epochs_of, train, with_hook
from task_runs import with_ies, with_sampler


def test_skipping_ends_the_run_earlier(folders: Path, tmp_path: Path) -> None:
    def config(name: str) -> Config:
        made = plain(folders, tmp_path / name)
        made.param_scheduler = [
            dict(type='PolyLR', eta_min=1e-3, by_epoch=False, end=PLAIN)
        ]
        made.val_dataloader = made.train_dataloader.copy()
        made.val_dataloader.sampler = dict(type='DefaultSampler')
        made.val_evaluator = dict(type='Accuracy')
        made.val_cfg = dict(type='ValLoop')
        made.train_cfg.val_interval = 8
        made.default_hooks.checkpoint.interval = 8
        return made

    before = Ends()
    train(config('plain'), with_hook(before))
    assert before.validated == [8, 16, 24, 30]

    after, hook = Ends(), always(OUT)
    pruned = with_sampler(config('pruned'))
    runner = train(
        pruned, lambda r: (r.register_hook(hook), r.register_hook(after))
    )
    # The first pass has 5 batches, the other five have 12 images each.
    assert runner.iter == 5 + 5 * 3 == runner.max_iters
    assert after.validated == [8, 16, 20]
    assert after.rate == before.rate == pytest.approx(1e-3)
    assert after.logged == [30] * 4 + [20] * 16
    saved = sorted(path.name for path in (tmp_path / 'pruned').glob('*.pth'))
    assert saved == ['iter_16.pth', 'iter_20.pth', 'iter_8.pth']
    records = epochs_of(tmp_path / 'pruned')
    assert [r['trained'] for r in records] == [20] + [12] * 5
    assert [r['excluded'] for r in records] == [0] + [8] * 5
    assert [r['forward_only'] for r in records] == [0] + [8] * 5
    assert records[-1]['saved'] == pytest.approx(5 * 8 / 120)


def test_with_everything_mastered_the_run_ends_in_order(
    folders: Path, tmp_path: Path
) -> None:
    config = with_ies(plain(folders, tmp_path, 60), delta=1e9)
    runner = train(config)
    assert runner.iter == 6 * 5
    assert (tmp_path / 'iter_30.pth').exists()
    assert epochs_of(tmp_path)[-1]['mastered'] == IMAGES


def test_a_budget_that_is_no_whole_number_of_passes(
    folders: Path, tmp_path: Path
) -> None:
    """28 iterations are 5.6 passes; the rest is trained without a record."""
    runner = train(
        with_sampler(plain(folders, tmp_path, 28)), with_hook(always(OUT))
    )
    assert 5 + 4 * 3 < runner.iter <= 5 + 5 * 3
    assert [r['trained'] for r in epochs_of(tmp_path)] == [20] + [12] * 4
    assert runner.max_iters == runner.iter


def test_the_last_validation_comes_before_its_planned_begin(
    folders: Path, tmp_path: Path
) -> None:
    config = with_sampler(plain(folders, tmp_path))
    config.val_dataloader = config.train_dataloader.copy()
    config.val_dataloader.sampler = dict(type='DefaultSampler')
    config.val_evaluator = dict(type='Accuracy')
    config.val_cfg = dict(type='ValLoop')
    config.train_cfg.update(
        val_begin=25, val_interval=5, dynamic_intervals=[(22, 1), (28, 1)]
    )
    config.log_level = 'INFO'
    ends = Ends()
    hook = always(OUT)
    train(config, lambda r: (r.register_hook(hook), r.register_hook(ends)))
    assert ends.validated == [20]
    log = next(tmp_path.rglob('*.log')).read_text()
    end = 'the training ends at iter 20, before train_cfg.'
    assert log.count(f'{end}val_begin=25: it is validated at its end') == 1
    assert log.count(f'{end}dynamic_intervals takes effect at 22') == 1


@pytest.mark.parametrize('length', [24, 30, 38])
@pytest.mark.parametrize('workers', [0, 1])
def test_gradients_that_are_gathered_last_make_a_step(
    folders: Path, tmp_path: Path, length: int, workers: int
) -> None:
    """The sum divided by their number, as in a plain run."""
    config = with_sampler(plain(folders, tmp_path, length))
    config.optim_wrapper.accumulative_counts = 4
    config.train_dataloader.num_workers = workers
    steps, factors = [], []

    def prepare(runner: Runner) -> None:
        runner.register_hook(always(OUT))
        wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
        step, scale = wrapper.step, wrapper.scale_loss

        def noted_step(**kwargs: Any) -> None:
            steps.append(runner.iter + 1)
            step(**kwargs)

        def noted_scale(loss: torch.Tensor) -> torch.Tensor:
            factors.append(round(float(loss / scale(loss))))
            return scale(loss)

        wrapper.step, wrapper.scale_loss = noted_step, noted_scale
        runner.optim_wrapper = wrapper

    runner = train(config, prepare)
    whole, rest = divmod(runner.iter, 4)
    last = [runner.iter] if rest else []
    assert steps == [*range(4, runner.iter + 1, 4), *last]
    assert factors == [4] * 4 * whole + [rest] * rest
