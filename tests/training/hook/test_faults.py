"""Full disks and dying workers: what is lost, and what continues."""

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

import transforms  # noqa: F401
from ies_mm.engine import IESHook
from ies_mm.report import RunRecords
from ies_mm.training.state.checkpoint import KEY
from runs import FixedSelection, epochs_of, instances_of, train, with_hook
from same_runs import (
    EPOCHS,
    assert_equal,
    assert_same_run,
    by_epochs,
    resumed,
)

FULL = Path('/dev/full')


class FullDisk(Hook):
    """Puts one records file on a full disk in epochs 2 and 3."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.kept = path.with_suffix('.kept')

    def before_train_epoch(self, runner: Runner) -> None:
        if runner.epoch in (1, 2):
            if self.path.exists() and not self.kept.exists():
                self.path.rename(self.kept)
            self.path.unlink(missing_ok=True)
            self.path.symlink_to(FULL)
        elif runner.epoch == 3:
            self.path.unlink(missing_ok=True)
            if self.kept.exists():
                self.kept.rename(self.path)


@pytest.mark.skipif(not FULL.exists(), reason='no /dev/full here')
@pytest.mark.parametrize('name', ['epochs.jsonl', 'instances.tmp'])
def test_a_full_disk_stops_no_training_and_loses_no_record(
    folders: Path, tmp_path: Path, name: str
) -> None:
    def run(folder: str, *hooks: Hook) -> None:
        hook = IESHook(0.12, order=1, window=1, keep_history=True)

        def register(runner: Runner) -> None:
            for one in (hook, *hooks):
                runner.register_hook(one)

        train(by_epochs(folders, tmp_path / folder), register)

    run('whole')
    run('full', FullDisk(tmp_path / 'full' / 'ies' / name))
    last = f'epoch_{EPOCHS}.pth'
    assert_same_run(tmp_path / 'full', tmp_path / 'whole', last)
    log = ''.join(p.read_text() for p in tmp_path.glob('full/*/*.log'))
    assert log.count('No space left on device; the training continues') == 1


def test_a_line_that_does_not_fit_is_not_half_written(tmp_path: Path) -> None:
    """A file size limit stands in for the remaining space."""
    folder = tmp_path / 'ies'
    records = RunRecords(folder, ['a.jpg'], keep=1)

    def add(epoch: int) -> None:
        records.add(
            {'epoch': epoch, 'loss': 'x' * 100},
            ['loss'],
            torch.tensor([0]),
            torch.tensor([[1.0]]),
            torch.tensor([True]),
        )

    for epoch in range(1, 101):
        add(epoch)
    path = folder / 'epochs.jsonl'
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    assert (folder / 'instances.npz').stat().st_size < len(before)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, hard))
    try:
        with pytest.raises(OSError, match='too large'):
            add(101)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    add(102)
    epochs = [record['epoch'] for record in epochs_of(tmp_path)]
    assert epochs == list(range(1, 103))


@pytest.mark.parametrize(
    ('where', 'persistent'),
    [('training', True), ('refresh', False), ('refresh', True)],
)
def test_after_a_worker_has_died_the_run_is_resumed(
    folders: Path, tmp_path: Path, where: str, persistent: bool
) -> None:
    """The error is PyTorch's, as in the plain run; no file is damaged."""
    bad = tmp_path / 'bad'
    bad.touch()
    out = {1: [3, 7], 2: [3, 7], 3: [4]}

    def run(name: str, resume: bool, image: int = 4) -> None:
        config = by_epochs(folders, tmp_path / name)
        config.resume = resume
        config.train_dataloader.num_workers = 1
        config.train_dataloader.persistent_workers = persistent
        config.train_dataloader.dataset.pipeline.insert(
            1, dict(type='KillWorker', image=image, while_there=str(bad))
        )
        arm = Arm(bad, 1 if where == 'training' else 3)
        hook = FixedSelection(out, keep_history=True)

        def register(runner: Runner) -> None:
            runner.register_hook(hook)
            if not resume and name == 'torn':
                runner.register_hook(arm, priority='VERY_HIGH')

        train(config, register)

    bad.unlink()
    run('whole', resume=False)
    with pytest.raises(RuntimeError, match='exited unexpectedly'):
        run('torn', resume=False)
    bad.unlink()
    run('torn', resume=True)
    last = f'epoch_{EPOCHS}.pth'
    assert_same_run(tmp_path / 'torn', tmp_path / 'whole', last)


class Arm(Hook):
    """Makes the image's worker die from some epoch on."""

    def __init__(self, path: Path, epoch: int) -> None:
        self.path = path
        self.epoch = epoch

    def before_train_epoch(self, runner: Runner) -> None:
        if runner.epoch == self.epoch:
            self.path.touch()


@pytest.mark.parametrize('value', ['inf', 'nan'])
def test_a_loss_that_is_no_number_stays_with_its_image(
    folders: Path, tmp_path: Path, value: str
) -> None:
    """With fixed weights, every other image is mastered.

    No image trains alone: another one fills the batch.
    """
    config = by_epochs(folders, tmp_path)
    config.model.head.loss.use_soft = True
    config.model.backbone.norm_eval = True
    config.train_dataloader.dataset.pipeline.insert(
        1, dict(type='SoftLabel', classes=3, image=6, value=float(value))
    )
    hook = IESHook(1e-3, order=1, window=1, keep_history=True)

    def prepare(runner: Runner) -> None:
        runner.register_hook(hook)
        for parameter in runner.model.parameters():
            parameter.register_hook(torch.zeros_like)

    train(config, prepare)
    arrays = instances_of(tmp_path)
    of_image = arrays['losses'][:, 6, 0]
    assert [str(loss) for loss in of_image] == [value] * EPOCHS
    assert [r['non_finite'] for r in epochs_of(tmp_path)] == [1] * EPOCHS
    assert arrays['trained'][:, 6].all()
    assert arrays['trained'].sum(axis=1).tolist() == [20, 20, 20, 2, 2]
    log = ''.join(p.read_text() for p in tmp_path.glob('*/*.log'))
    assert log.count('a loss that is NaN or infinite') == 1


def test_an_unreadable_image_is_named_by_the_plain_error(
    folders: Path, tmp_path: Path
) -> None:
    """The loader's exception is not hidden."""
    config = by_epochs(folders, tmp_path)
    config.train_dataloader.dataset.pipeline.insert(
        1, dict(type='Refuse', images=list(range(20)))
    )
    with pytest.raises(Exception, match='Cannot find valid image'):
        train(config, with_hook(IESHook(0.1)))


@pytest.fixture(scope='module')
def whole(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    work_dir = tmp_path_factory.mktemp('whole')
    hook = IESHook(0.12, order=1, window=1, keep_history=True)
    train(by_epochs(folders, work_dir), with_hook(hook))
    return work_dir


def of_fewer_images(path: Path) -> None:
    with np.load(path) as arrays:
        kept = dict(arrays)
    kept['identity'] = kept['identity'][:12]
    for name in ('losses', 'trained'):
        kept[name] = kept[name][:, :12]
    np.savez(path, **kept)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def without_epochs(path: Path) -> None:
    path.write_text(path.read_text().replace('"epoch"', '"epok"'))


@pytest.mark.parametrize(
    ('name', 'damage'),
    [
        ('instances.npz', cut_off),
        ('instances.npz', of_fewer_images),
        ('epochs.jsonl', without_epochs),
    ],
)
def test_records_do_not_decide_whether_a_training_goes_on(
    folders: Path,
    tmp_path: Path,
    whole: Path,
    name: str,
    damage: Callable[[Path], None],
) -> None:
    """Weights and selection come only from the checkpoint."""
    work_dir = tmp_path / 'again'
    config = resumed(by_epochs(folders, work_dir), whole, 'epoch_4.pth')
    damage(work_dir / 'ies' / name)
    hook = IESHook(0.12, order=1, window=1, keep_history=True)
    train(config, with_hook(hook))
    ours, theirs = (
        torch.load(folder / f'epoch_{EPOCHS}.pth', weights_only=False)
        for folder in (work_dir, whole)
    )
    for part in ('state_dict', KEY):
        assert_equal(ours[part], theirs[part], part)
    assert [record['epoch'] for record in epochs_of(work_dir)] == [EPOCHS]
    log = ''.join(path.read_text() for path in work_dir.glob('*/*.log'))
    assert log.count('the records so far were moved to') == 1
    assert len(list(work_dir.glob('ies_2*/epochs.jsonl'))) == 1


def test_records_are_read_without_unpickling(
    folders: Path, tmp_path: Path
) -> None:
    train(by_epochs(folders, tmp_path), with_hook(IESHook(0.1)))
    kinds: dict[str, Any] = {
        name: array.dtype.kind
        for name, array in instances_of(tmp_path).items()
    }
    assert 'O' not in kinds.values()
    with np.load(tmp_path / 'ies' / 'instances.npz') as arrays:
        assert arrays['identity'][0].endswith('.png')
