"""The recorded dynamics are right, and recording changes nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.optim import AmpOptimWrapper
from mmengine.runner import Runner

from dynamics_runs import BATCHES, with_dynamics
from ies_mm.dynamics.training_steps import TrainingSteps
from ies_mm.report.dynamics import read_dynamics
from runs import plain_config, train
from same_runs import assert_equal
from task_runs import classifier_config, segmentor_config


class Witness(Hook):
    """Counts independently what the hook should record.

    It reads gradients by NumPy from clones, in the optimiser's step.
    """

    def __init__(self) -> None:
        self.norms: list[float] = []
        self.losses: list[tuple[int, float]] = []
        self.states: list[Any] = []

    def before_train(self, runner: Runner) -> None:
        optimiser = runner.optim_wrapper.optimizer
        optimiser.register_step_pre_hook(lambda *_: self._note(runner.model))

    def _note(self, model: torch.nn.Module) -> None:
        gradients = [p.grad.numpy().ravel() for p in model.parameters()]
        self.norms.append(
            float(np.linalg.norm(np.concatenate(gradients).astype(float)))
        )

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any, outputs: Any
    ) -> None:
        images = len(data_batch['inputs'])
        self.losses.append((images, float(outputs['loss'].detach())))
        self.states.append(torch.get_rng_state())
        self.states.append(np.random.get_state()[1].copy())


def trained(config: Config) -> tuple[Runner, Witness]:
    witness = Witness()
    return train(config, lambda runner: runner.register_hook(witness)), witness


def state_of(runner: Runner, witness: Witness) -> Any:
    return [
        runner.model.state_dict(),
        runner.optim_wrapper.state_dict(),
        witness.states,
        [str(one) for one in witness.losses],
    ]


def classifier(folders: Path, work_dir: Path) -> Config:
    config = classifier_config(folders, work_dir)
    config.train_dataloader.num_workers = 1
    config.train_dataloader.persistent_workers = True
    return config


@pytest.mark.parametrize('task', ['classifier', 'segmentor', 'detector'])
def test_the_training_is_the_plain_one_to_the_bit(
    task: str, folders: Path, maps: Path, voc: Path, tmp_path: Path
) -> None:
    """Flips, dropout, BatchNorm, sampled RoIs; a worker."""
    make: Callable[[Path], Config] = {
        'classifier': lambda d: classifier(folders, d),
        'segmentor': lambda d: segmentor_config(maps, d),
        'detector': lambda d: plain_config(voc, d),
    }[task]
    config = with_dynamics(make(tmp_path / 'on'), iterations=1)
    assert_equal(
        state_of(*trained(config)), state_of(*trained(make(tmp_path / 'off')))
    )
    lines = read_dynamics(tmp_path / 'on')
    assert [line['epoch'] for line in lines] == [0, 1, 2]
    assert [line['exact'] for line in lines] == [True, None, True]
    assert all(lines[-1][key] > 0 for key in ('subset_loss', 'seconds'))


@pytest.fixture(scope='module')
def accumulated(
    folders: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Witness]:
    """Two batches per step, clipped; three epochs of five batches."""
    work_dir = tmp_path_factory.mktemp('accumulated')
    config = with_dynamics(classifier_config(folders, work_dir))
    config.train_cfg.max_epochs = 3
    config.optim_wrapper.accumulative_counts = 2
    return work_dir, trained(config)[1]


def test_norms_and_losses_are_the_means_of_an_epoch(
    accumulated: tuple[Path, Witness],
) -> None:
    work_dir, witness = accumulated
    lines = read_dynamics(work_dir)[1:]
    steps = [2, 3, 3]  # batches 2, 4 | 6, 8, 10 | 12, 14 and the rest
    assert [line['steps'] for line in lines] == steps
    for line, norms in zip(
        lines, np.split(witness.norms, [2, 5]), strict=True
    ):
        assert line['gradient_norm'] == pytest.approx(norms.mean(), rel=1e-5)
    for line, losses in zip(
        lines, np.reshape(witness.losses, (3, BATCHES, 2)), strict=True
    ):
        mean = losses.prod(axis=1).sum() / losses[:, 0].sum()
        assert line['loss'] == pytest.approx(mean, rel=1e-5)


def test_what_else_a_line_has(accumulated: tuple[Path, Witness]) -> None:
    lines = read_dynamics(accumulated[0])
    assert [line['instances'] for line in lines] == [0, 20, 40, 60]
    assert [line['iteration'] for line in lines] == [0, 5, 10, 15]
    first, between = lines[:2]
    assert first['gradient_norm'] is first['loss'] is None
    assert between['sam'] is between['top_eigenvalue'] is None
    assert first['images'] == 6
    assert first['residual'] > 0


def test_a_gradient_is_read_before_it_is_clipped(
    folders: Path, tmp_path: Path
) -> None:
    found = []
    for clip in (None, dict(max_norm=1e-3)):
        work_dir = tmp_path / str(len(found))
        config = with_dynamics(classifier_config(folders, work_dir))
        config.optim_wrapper.optimizer.lr = 0.0
        config.optim_wrapper.clip_grad = clip
        config.default_hooks.dynamics.interval = 9
        train(config)
        found.append(read_dynamics(work_dir)[-1]['gradient_norm'])
    assert found[0] == found[1] > 0.01


class NotFinite(Hook):
    """Makes the gradient of the first epoch's last step infinite."""

    def before_train_iter(self, runner: Runner, **_: Any) -> None:
        if runner.iter == BATCHES - 1:
            weight = next(runner.model.parameters())
            weight.register_hook(lambda gradient: gradient / 0)


def test_a_step_that_is_not_finite_is_left_out_of_the_mean(
    folders: Path, tmp_path: Path
) -> None:
    config = with_dynamics(classifier_config(folders, tmp_path), interval=9)
    config.train_cfg.max_epochs = 1
    train(config, lambda runner: runner.register_hook(NotFinite()))
    line = read_dynamics(tmp_path)[-1]
    assert line['steps'] == BATCHES - 1
    assert line['non_finite'] == 1
    assert 0 < line['gradient_norm'] < 1e3


def test_mixed_precision_s_loss_scale_is_taken_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """MMEngine's wrapper requires a GPU; its scaler does not."""
    wrappers = 'mmengine.optim.optimizer.amp_optimizer_wrapper'
    monkeypatch.setattr(f'{wrappers}.is_cuda_available', lambda: True)
    model = torch.nn.Linear(3, 1)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.0)
    wrapper = AmpOptimWrapper(
        optimizer=optimiser, clip_grad=dict(max_norm=1e-3)
    )
    wrapper.loss_scaler = torch.amp.GradScaler('cpu', init_scale=1024.0)
    steps = TrainingSteps()
    steps._watch_optimiser(0, wrapper)
    wrapper.update_params(model(torch.ones(1, 3)).sum())
    steps.end_iteration({})
    assert steps.sums().norms == 2.0  # of three weights and a bias
    assert wrapper.loss_scaler.get_scale() == 1024.0
    steps.close()
