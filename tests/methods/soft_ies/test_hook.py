"""Soft IES in complete trainings."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from ies_mm.core import Selection
from ies_mm.engine import IESHook, SoftIESHook
from ies_mm.methods.method import Decision
from ies_mm.methods.soft_ies.rule import chances
from method_cases import config_of
from runs import epochs_of, instances_of, train, with_hook
from task_runs import make_folders

IMAGES = 13
EPOCHS = 14


@pytest.fixture(scope='module')
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folders(tmp_path_factory.mktemp('folders'), IMAGES)


class Watched(SoftIESHook):
    """Keeps the draw of every epoch and its result."""

    def __init__(self, *args: Any, **arguments: Any) -> None:
        super().__init__(*args, **arguments)
        self.selections: list[Selection] = []
        self.drawn: list[Selection] = []
        decide = self.method.decide

        def watched(*args: Any) -> Decision:
            decision = decide(*args)
            self.drawn.append(decision.selection)
            return decision

        self.method.decide = watched  # type: ignore[method-assign]

    def before_train_epoch(self, runner: Runner) -> None:
        super().before_train_epoch(runner)
        self.selections.append(self.session.state.selection)


def test_it_leaves_out_as_many_as_ies_and_scores_none(
    folders: Path, tmp_path: Path
) -> None:
    budget = dict(type='Budget', saved=0.3)
    hooks = dict(
        ies=IESHook(budget, order=0, window=2), soft=SoftIESHook(0.3, window=2)
    )
    for name, hook in hooks.items():
        train(config_of(folders, tmp_path / name, EPOCHS), with_hook(hook))
    ies, soft = (epochs_of(tmp_path / name) for name in hooks)
    for there, here in zip(ies, soft, strict=True):
        assert abs(there['excluded'] - here['excluded']) < 4
        assert here['forward_only'] == 0
        assert here['delta'] is None
    assert soft[-1]['saved'] == pytest.approx(0.3, abs=0.03)
    assert [record['excluded'] for record in soft[:3]] == [0, 0, 0]


def test_weights_are_the_inverse_chances_by_the_losses_that_were_seen(
    folders: Path, tmp_path: Path
) -> None:
    """Checked from the records: each image's mean of the last two losses."""
    hook = Watched(0.3, floor=0.2, window=2, keep_history=True)
    config = config_of(folders, tmp_path, EPOCHS)
    config.train_dataloader.batch_size = 20  # no image is left alone
    train(config, with_hook(hook))
    losses = instances_of(tmp_path)['losses'].sum(axis=2)
    weighted = 0
    for epoch, selection in enumerate(hook.selections):
        if selection.weight is None:
            continue
        seen = [column[~np.isnan(column)] for column in losses[:epoch].T]
        means = torch.tensor([last[-2:].mean() for last in seen]).double()
        keep = int(selection.active.sum())
        expected = keep / IMAGES / chances(means, keep, 0.2)
        found = selection.weight[selection.active]
        assert found.tolist() == pytest.approx(
            expected[selection.active].tolist(), rel=1e-5
        )
        weighted += 1
    assert weighted > 5


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(saved=0.95), 'saved=0.95: give a number from 0 to 0.9$'),
        (dict(saved=20), 'give a number from 0 to 0.9; 20% is 0.2$'),
        (dict(saved=0.2, floor=0), 'floor=0: give a number from 0.01 to 1'),
        (dict(saved=0.2, order=4), 'order=4'),
    ],
)
def test_bad_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SoftIESHook(**arguments)


def test_it_keeps_to_begin_and_anneal(folders: Path, tmp_path: Path) -> None:
    """Outside them, nothing is drawn, recorded or weighted."""
    hook = Watched(0.2, window=2, begin=6, anneal=0.3)
    train(config_of(folders, tmp_path, EPOCHS), with_hook(hook))
    records = epochs_of(tmp_path)
    drawn = [number for number, r in enumerate(records, 1) if r['mastered']]
    # After epochs 6 to 8; the last of 14 * 0.7 is the 9th.
    assert drawn == [6, 7, 8]
    weighted = [
        number
        for number, selection in enumerate(hook.selections, 1)
        if selection.weight is not None
    ]
    assert weighted == [7, 8, 9]


def test_without_weights(folders: Path, tmp_path: Path) -> None:
    hook = Watched(0.3, window=2, weighted=False)
    train(config_of(folders, tmp_path, EPOCHS), with_hook(hook))
    assert epochs_of(tmp_path)[-1]['saved'] == pytest.approx(0.3, abs=0.03)
    assert all(selection.weight is None for selection in hook.selections)


def test_without_replacement_images_come_back_in_turn(
    folders: Path, tmp_path: Path
) -> None:
    """With equal probabilities, none again before all others."""
    hook = Watched(0.4, floor=1, window=2, replacement=False)
    config = config_of(folders, tmp_path, EPOCHS)
    config.train_dataloader.batch_size = 20  # no image is re-included
    train(config, with_hook(hook))
    active = torch.stack([s.active for s in hook.selections]).int()
    times = active.cumsum(dim=0)
    assert (active.sum(dim=1) < IMAGES).sum() > 5
    assert (times.amax(dim=1) - times.amin(dim=1)).max() == 1


def test_a_training_that_is_too_short(folders: Path, tmp_path: Path) -> None:
    """By default, the first six epochs only observe."""
    runner = train(
        config_of(folders, tmp_path, 6), with_hook(SoftIESHook(0.3))
    )
    assert all(r['excluded'] == 0 for r in epochs_of(tmp_path))
    [log] = Path(runner.log_dir).glob('*.log')
    assert 'Soft IES cannot prune anything in 6 epochs' in log.read_text()
    assert 'at most' not in log.read_text()


def test_an_image_that_is_taken_back_counts_once(
    folders: Path, tmp_path: Path
) -> None:
    """Of 13 images in batches of 4, one is re-included to fill a batch."""
    hook = Watched(0.3, window=2, floor=0.2)
    config = config_of(folders, tmp_path, EPOCHS)
    config.train_dataloader.batch_size = 4
    train(config, with_hook(hook))
    taken_back = 0
    # The draw after an epoch is for the next one.
    for drawn, used in zip(hook.drawn, hook.selections[1:], strict=False):
        back = used.active & ~drawn.active
        taken_back += int(back.sum())
        if drawn.weight is not None:
            assert used.weight[back].tolist() == [1.0] * int(back.sum())
            assert torch.equal(used.weight, drawn.weight)
    assert taken_back > 0


def test_everything_taken_back_is_the_plain_epoch(
    folders: Path, tmp_path: Path
) -> None:
    """With ``drop_last`` and a single batch: all images, no weights."""
    hook = Watched(0.3, window=2)
    config = config_of(folders, tmp_path, 8)
    config.train_dataloader.batch_size = IMAGES
    config.train_dataloader.drop_last = True
    train(config, with_hook(hook))
    assert not all(drawn.active.all() for drawn in hook.drawn)
    assert all(selection.active.all() for selection in hook.selections)
    assert all(selection.weight is None for selection in hook.selections)


def test_a_repeated_data_set(folders: Path, tmp_path: Path) -> None:
    config = config_of(folders, tmp_path, 8)
    config.train_dataloader.dataset = dict(
        type='RepeatDataset', times=2, dataset=config.train_dataloader.dataset
    )
    hook = SoftIESHook(0.3, window=2, keep_history=True)
    train(config, with_hook(hook))
    assert epochs_of(tmp_path)[-1]['saved'] == pytest.approx(0.3, abs=0.05)


def test_arguments_are_its_own() -> None:
    arguments = SoftIESHook(0.3, terms=['loss']).arguments()
    assert arguments['saved'] == 0.3
    assert arguments['terms'] == ['loss']
    assert arguments['window'] == 5
    assert 'delta' not in arguments
