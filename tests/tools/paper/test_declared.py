"""The elements of the paper, and the configs of their runs."""

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

FIGURES = tuple(f'figure{number}' for number in range(1, 8))


def test_every_element_of_the_paper_is_there(part: Any) -> None:
    tables = (f'table{number}' for number in range(1, 15))
    assert [*part('declared').EXPERIMENTS] == [*FIGURES, *tables]


@pytest.mark.parametrize('scale', ['small', 'paper'])
def test_configs_are_what_the_scale_says(
    part: Any, tmp_path: Path, scale: str
) -> None:
    size = part('scales').SCALES[scale]
    data = tmp_path if scale == 'small' else None
    workshop = part('runner').Workshop(size, tmp_path, data)
    jobs: dict[Path, Any] = {}
    for experiment in part('declared').EXPERIMENTS.values():
        for job in workshop.jobs_of(experiment):
            # Two experiments that share a folder share the run in it.
            assert jobs.setdefault(job.work_dir, job).said == job.said
    assert len({job.said for job in jobs.values()}) == len(jobs)
    kinds = {
        (t.data, t.setting, t.of_figure_4, bool(t.hook), bool(t.noise)): job
        for job in jobs.values()
        for t in [job.training]
    }
    for (name, setting, of_figure_4, *_), job in kinds.items():
        cfg = Config.fromstring(job.config, '.py')
        epochs = job.training.epochs or size.length(name, of_figure_4)
        assert cfg.train_cfg.max_epochs == epochs
        kinds_of = dict(adam='Adam', adamw='AdamW', head='Adam')
        kind = kinds_of.get(setting.split('_')[-1], 'SGD')
        assert cfg.optim_wrapper.optimizer.type == kind
        if scale == 'paper' and name.startswith(('cifar', 'imagenet')):
            large = of_figure_4 or name == 'imagenet'
            assert cfg.train_dataloader.batch_size == (128 if large else 64)
        transforms = cfg.train_dataloader.dataset.get('pipeline', ())
        noisy = [t['type'] == 'LoadNoisyLabels' for t in transforms]
        assert not any(noisy[:-1])
        assert (noisy[-1:] == [True]) == bool(job.training.noise)
        if hook := dict(job.training.hook):
            assert cfg.train_dataloader.sampler.type == 'IESSampler'
            assert cfg.default_hooks.ies.to_dict() == hook


@pytest.mark.parametrize('scale', ['small', 'paper'])
def test_the_program_s_test_images_are_augmented(
    part: Any, tmp_path: Path, scale: str
) -> None:
    size = part('scales').SCALES[scale]
    workshop = part('runner').Workshop(
        size, tmp_path, tmp_path if scale == 'small' else None, 1, True
    )
    jobs = workshop.jobs_of(part('declared').EXPERIMENTS['table9'])
    for job in jobs[::3]:
        cfg = Config.fromstring(job.config, '.py')
        *trained, noise = cfg.train_dataloader.dataset.pipeline
        assert noise.type == 'LoadNoisyLabels'
        assert cfg.val_dataloader.dataset.pipeline == trained
        assert 'runs_program_test' in job.work_dir.parts
