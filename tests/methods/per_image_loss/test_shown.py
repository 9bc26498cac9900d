"""What PerImageLossHook shows: log lines, scalars, a comparison."""

import json
from pathlib import Path

import numpy as np

from ies_mm.report.reading.runs import read_run
from observed_runs import epochs, observed
from runs import instances_of, plain_config, train


def log_of(work_dir: Path) -> list[str]:
    [path] = work_dir.glob('*/*.log')
    return path.read_text().splitlines()


def test_the_log_names_the_hardest_images(voc: Path, tmp_path: Path) -> None:
    config = plain_config(voc, tmp_path)
    config.log_level = 'INFO'
    observed(config, hardest=3)
    run = instances_of(tmp_path)
    lines = [line for line in log_of(tmp_path) if 'observed; mean' in line]
    assert len(lines) == len(run['losses']) == 2
    for line, losses in zip(lines, run['losses'], strict=True):
        total = losses.astype(np.float64).sum(axis=1)
        worst = sorted(range(len(total)), key=lambda i: -total[i])[:3]
        named = [f'{run["identity"][i]} {total[i]:.4g}' for i in worst]
        assert line.endswith(f'hardest: {", ".join(named)}')
        assert f'max {max(total):.4g};' in line


def test_nothing_is_named_where_that_is_asked(
    folders: Path, tmp_path: Path
) -> None:
    config = epochs(folders, tmp_path)
    config.log_level = 'INFO'
    observed(config, hardest=0)
    text = '\n'.join(log_of(tmp_path))
    assert '20 of 20 images observed; mean ' in text
    assert 'hardest' not in text


def test_scalars_are_of_every_epoch_and_are_no_metrics(
    folders: Path, tmp_path: Path
) -> None:
    observed(epochs(folders, tmp_path))
    [path] = tmp_path.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines = [line for line in lines if 'ies/loss_mean' in line]
    losses = instances_of(tmp_path)['losses'][..., 0].astype(np.float64)
    assert [line['step'] for line in lines] == [1, 2, 3]
    for name, expected in (
        ('mean', losses.mean(axis=1)),
        ('median', np.median(losses, axis=1)),
        ('p90', np.percentile(losses, 90, axis=1)),
        ('max', losses.max(axis=1)),
    ):
        found = [line[f'ies/loss_{name}'] for line in lines]
        np.testing.assert_allclose(found, expected)


def test_a_comparison_takes_the_run_as_a_plain_one(
    folders: Path, tmp_path: Path
) -> None:
    for sampler in ('DefaultSampler', 'IESSampler'):
        config = epochs(folders, tmp_path / sampler)
        config.log_level = 'INFO'
        config.train_dataloader.sampler.type = sampler
        config.custom_hooks = [dict(type='PerImageLossHook')]
        train(config)
        run = read_run(tmp_path / sampler)
        assert (run.method, run.selected) == ('plain', False)
        assert (run.points, run.notes) == ({}, [])
        assert run.progress.finished
