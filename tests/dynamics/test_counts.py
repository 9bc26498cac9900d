"""What the dynamics hook counts as trained, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config

from dynamics_runs import BATCHES, with_dynamics
from ies_mm.engine import TrainingDynamicsHook
from ies_mm.errors import ConfigError
from ies_mm.report.dynamics import read_dynamics
from iteration_runs import IMAGES, OUT, always, plain
from runs import epochs_of, train, with_hook
from task_runs import classifier_config, with_ies, with_sampler


def test_beside_ies_what_is_selected_counts(
    folders: Path, tmp_path: Path
) -> None:
    """Images are pruned from some epoch on; the records say how many."""
    config = with_ies(
        with_dynamics(classifier_config(folders, tmp_path), interval=20),
        delta=dict(type='Budget', saved=0.5),
        order=0,
        window=1,
    )
    config.train_cfg.max_epochs = 5
    train(config)
    lines = (tmp_path / 'ies' / 'epochs.jsonl').read_text().splitlines()
    behind = np.cumsum([json.loads(line)['trained'] for line in lines])
    found = [line['instances'] for line in read_dynamics(tmp_path)]
    assert found == [0, *behind.tolist()]
    assert found[-1] < 5 * IMAGES


def test_what_selective_backprop_chose_counts(
    folders: Path, tmp_path: Path
) -> None:
    config = with_dynamics(classifier_config(folders, tmp_path), interval=20)
    config.default_hooks.ies = dict(type='SelectiveBackpropHook')
    train(with_sampler(config))
    lines = (tmp_path / 'ies' / 'epochs.jsonl').read_text().splitlines()
    trained = sum(json.loads(line)['trained'] for line in lines)
    assert read_dynamics(tmp_path)[-1]['instances'] == trained < 2 * IMAGES


def without_seconds(work_dir: Path) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in line.items() if key != 'seconds'}
        for line in read_dynamics(work_dir)
    ]


def test_an_iteration_based_run_that_is_resumed_goes_on_with_its_counts(
    folders: Path, tmp_path: Path
) -> None:
    """It stopped within its second pass."""

    def config(name: str) -> Config:
        made = with_dynamics(plain(folders, tmp_path / name, 12))
        made.train_dataloader.dataset.pipeline.pop(1)
        made.train_dataloader.sampler.type = 'IESSampler'
        made.default_hooks.ies = dict(type='IESHook', delta=0.0)
        made.default_hooks.checkpoint.interval = 7
        return made

    train(config('whole'))
    lines = without_seconds(tmp_path / 'whole')
    assert [line['iteration'] for line in lines] == [0, 5, 10]
    resumed = config('whole')
    resumed.resume = True
    resumed.load_from = str(tmp_path / 'whole' / 'iter_7.pth')
    train(resumed)
    assert without_seconds(tmp_path / 'whole') == lines


def test_passes_of_an_endless_loader_are_counted(
    folders: Path, tmp_path: Path
) -> None:
    train(with_dynamics(plain(folders, tmp_path, 11), interval=9))
    lines = read_dynamics(tmp_path)
    assert [line['epoch'] for line in lines] == [0, 1, 2]
    assert [line['instances'] for line in lines] == [0, 20, 40]


def test_passes_beside_a_selection_are_those_of_its_records(
    folders: Path, tmp_path: Path
) -> None:
    """They shrink to 12 of 20 images from the second one on."""
    config = with_dynamics(plain(folders, tmp_path, 14), interval=9)
    train(with_sampler(config), with_hook(always(OUT)))
    records = [record['epoch'] for record in epochs_of(tmp_path)]
    assert len(records) > 14 // BATCHES
    found = [line['epoch'] for line in read_dynamics(tmp_path)]
    assert found == [0, *records]


def test_more_images_than_there_are(folders: Path, tmp_path: Path) -> None:
    config = with_dynamics(classifier_config(folders, tmp_path), images=21)
    with pytest.raises(ConfigError, match='images=21, but the training set'):
        train(config)
    assert not (tmp_path / 'ies').exists()


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (dict(interval=0, images=4), 'interval=0: give an integer >= 1'),
        (dict(interval=1, images=0), 'images=0: give an integer >= 1'),
        (dict(interval=1, images=4, rho=-1.0), 'rho=-1.0: give a number'),
        (dict(interval=1, images=4, iterations=0), 'iterations=0'),
    ],
)
def test_arguments(arguments: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TrainingDynamicsHook(**arguments)
