"""``ies-mm forgetting``: F1 on the images pruned first, by checkpoint."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.structures import InstanceData

from ies_mm.commands.forgetting import main
from ies_mm.groups import training_images
from runs import (
    TEST_PIPELINE,
    FixedSelection,
    dataset_config,
    instances_of,
    plain_config,
    train,
    with_hook,
)

EPOCHS = 3


@pytest.fixture(scope='module')
def run(voc: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prunes images 1 and 2 from the second epoch on."""
    folder: Path = tmp_path_factory.mktemp('forgetting') / 'run'
    config = plain_config(voc, folder)
    config.train_cfg.max_epochs = EPOCHS
    config.train_dataloader.sampler = dict(type='IESSampler')
    config.default_hooks.checkpoint.max_keep_ckpts = -1
    config.test_dataloader = dict(
        batch_size=1,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dataset_config(voc, pipeline=TEST_PIPELINE),
    )
    config.test_cfg = dict(type='TestLoop')
    config.test_evaluator = dict(type='VOCMetric', metric='mAP')
    plan = {1: [1, 2], 2: [1, 2]}
    train(config, with_hook(FixedSelection(plan, keep_history=True)))
    return folder


class Known:
    """Predictions of which it is known what they find.

    The first box of every image, a box of the wrong place, and every other
    box with too low a score.
    """

    def __init__(self, images: Any) -> None:
        self.given = [
            leaf.get_data_info(i)['instances']
            for leaf in images._leaves
            for i in range(len(leaf))
        ]
        self.seen = 0

    def eval(self) -> 'Known':
        return self

    def test_step(self, batch: Any) -> list[Any]:
        given = self.given[self.seen % len(self.given)]
        self.seen += 1
        boxes = [box['bbox'] for box in given]
        labels = [box['bbox_label'] for box in given]
        sample: Any = InstanceData()
        sample.pred_instances = InstanceData(
            bboxes=torch.tensor([[0.0, 0.0, 1.0, 1.0], *boxes]),
            labels=torch.tensor([0, *labels]),
            scores=torch.tensor([0.8, 0.9, *[0.1] * len(boxes)])[
                : len(boxes) + 1
            ],
        )
        return [sample]


def test_f1_of_all_and_of_the_images_pruned_first(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    loaded: list[str] = []
    init = training_images.TrainingImages.__init__

    def known(self: Any, config: Any) -> None:
        init(self, config)
        self._model = model = Known(self)
        given.extend(
            [not box['ignore_flag'] for box in found] for found in model.given
        )

    given: list[list[bool]] = []
    monkeypatch.setattr(training_images.TrainingImages, '__init__', known)
    monkeypatch.setattr(
        training_images,
        'load_checkpoint',
        lambda model, path, **_: loaded.append(Path(path).name),
    )
    main([str(run), '--early', '0.3'])
    assert loaded == ['epoch_1.pth', 'epoch_2.pth', 'epoch_3.pth']
    rows = json.loads((run / 'ies' / 'forgetting.json').read_text())
    assert [row['epoch'] for row in rows] == [1, 2, 3]
    trained = instances_of(run)['trained']
    first = [k for k in range(trained.shape[1]) if not trained[:, k].all()]
    assert first == [1, 2]
    for row in rows:
        for key, ids in (('f1', range(len(given))), ('early_f1', first)):
            hits = sum(any(given[k][:1]) for k in ids)
            predicted = sum(1 + bool(given[k]) for k in ids)
            actual = sum(sum(given[k]) for k in ids)
            assert row[key] == pytest.approx(2 * hits / (predicted + actual))
    assert 'pruned first' in capsys.readouterr().out


def test_with_the_model_s_own_predictions(run: Path, capsys: Any) -> None:
    main([str(run), '--score', '0.01'])
    lines = capsys.readouterr().out.splitlines()
    [head] = [k for k, line in enumerate(lines) if line.startswith('epoch ')]
    rows = [line.split()[0] for line in lines[head + 1 : head + 4]]
    assert rows == ['1', '2', '3']


def test_checkpoints_of_another_run_are_passed_over(
    run: Path, tmp_path: Path, capsys: Any
) -> None:
    """A longer run, in the same folder before this one."""
    copy = tmp_path / 'copy'
    shutil.copytree(run, copy)
    shutil.copy(copy / 'epoch_3.pth', copy / 'epoch_4.pth')
    main([str(copy), '--score', '0.01'])
    rows = json.loads((copy / 'ies' / 'forgetting.json').read_text())
    assert [row['epoch'] for row in rows] == [1, 2, 3]


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        ('none', 'there is no'),
        ('no history', 'train with keep_history=True'),
        ('no checkpoints', 'no epoch_*.pth; train with'),
        ('other weights', 'epoch_1.pth cannot be run: '),
    ],
)
def test_what_it_cannot_tell_is_one_line(
    run: Path, tmp_path: Path, capsys: Any, make: str, message: str
) -> None:
    copy = tmp_path / 'copy'
    if make != 'none':
        shutil.copytree(run, copy)
    if make == 'no history':
        (copy / 'ies' / 'instances.npz').unlink()
    if make == 'no checkpoints':
        for path in copy.glob('epoch_*.pth'):
            path.unlink()
    if make == 'other weights':
        saved = torch.load(copy / 'epoch_1.pth', weights_only=False)
        saved['state_dict'].popitem()
        torch.save(saved, copy / 'epoch_1.pth')
    with pytest.raises(SystemExit) as end:
        main([str(copy)])
    assert end.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert message in line
