"""The state is part of the checkpoint and only loaded on resume."""

import os
import shutil
from pathlib import Path

import torch
from mmengine.config import Config

from ies_mm.report import RunRecords
from runs import epochs_of, ies_config, instances_of, train


def deterministic(voc: Path, work_dir: Path) -> Config:
    """Nothing is random but the order of the images.

    MMEngine does not restore the random state of the augmentation.
    """
    config = ies_config(
        voc, work_dir, epochs=7, delta=0.2, order=1, window=2,
        keep_history=True,
    )  # fmt: skip
    config.train_dataloader.dataset.pipeline[3].prob = 0.0
    for part in (config.model.train_cfg.rpn, config.model.train_cfg.rcnn):
        part.sampler.num = 10**6
        part.sampler.pos_fraction = 1.0
    return config


def without_times(records: list[dict]) -> list[dict]:
    return [
        {
            k: v
            for k, v in record.items()
            if not k.endswith(('_seconds', '_share'))
        }
        for record in records
    ]


def test_a_resumed_run_ends_as_the_uninterrupted_one(
    voc: Path, tmp_path: Path
) -> None:
    whole, again = tmp_path / 'whole', tmp_path / 'again'
    expected = train(deterministic(voc, whole)).model.state_dict()
    excluded = [record['excluded'] for record in epochs_of(whole)]
    assert any(0 < count < 12 for count in excluded[:5])

    # The records already include epochs after the checkpoint, as they do
    # after a kill in the middle of an epoch.
    shutil.copytree(whole, again)
    config = deterministic(voc, again)
    config.resume = True
    config.load_from = str(whole / 'epoch_5.pth')
    found = train(config).model.state_dict()
    assert all(torch.equal(found[k], expected[k]) for k in expected)
    assert without_times(epochs_of(again)) == without_times(epochs_of(whole))
    arrays, others = instances_of(again), instances_of(whole)
    for name in arrays:
        assert arrays[name].tobytes() == others[name].tobytes(), name


def test_load_from_does_not_take_the_state(voc: Path, tmp_path: Path) -> None:
    train(ies_config(voc, tmp_path / 'first', epochs=2, delta=0.1))
    config = ies_config(voc, tmp_path / 'second', epochs=1, delta=0.1)
    config.load_from = str(tmp_path / 'first' / 'epoch_2.pth')
    runner = train(config)
    hook = next(h for h in runner.hooks if hasattr(h, 'session'))
    assert hook.session.state.history.count.tolist() == [1] * 12


def test_another_run_s_records_are_put_aside(
    voc: Path, tmp_path: Path
) -> None:
    for _ in range(2):
        train(ies_config(voc, tmp_path, epochs=1, delta=0.1))
    assert [record['epoch'] for record in epochs_of(tmp_path)] == [1]
    [before] = tmp_path.glob('ies_2*')
    assert (before / 'epochs.jsonl').exists()


def test_records_put_aside_in_the_same_second_have_names_of_their_own(
    tmp_path: Path,
) -> None:
    for number in range(3):
        (tmp_path / 'ies').mkdir()
        path = tmp_path / 'ies' / 'epochs.jsonl'
        path.write_text(f'{number}')
        os.utime(path, (0, 0))
        RunRecords(tmp_path / 'ies', []).open()
    aside = sorted(tmp_path.glob('ies_*/epochs.jsonl'))
    assert [path.read_text() for path in aside] == ['0', '1', '2']
