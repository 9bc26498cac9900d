"""Which images were correct: from the model's scores, looked up by hand."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from ies_mm.report.instances import read_tables
from ies_mm.training.state.correctness import Correctness
from runs import instances_of, plain_config, train, with_hook
from same_runs import by_epochs, resumed
from task_runs import CLASSES, segmentor_config, with_ies

EPOCHS = 9


class Watch(Hook):
    """Records every score that the head computes, with its image."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.epochs: list[dict[str, list[bool]]] = []
        self._paths: list[str] = []
        self._right: dict[str, list[bool]] = {}

    def before_train(self, runner: Runner) -> None:
        model: Any = runner.model
        model.data_preprocessor.register_forward_hook(self._samples)
        model.head.register_forward_hook(self._scores)

    def after_train_epoch(self, runner: Runner) -> None:
        self.epochs.append(self._right)
        self._right = {}

    def _samples(self, module: nn.Module, given: Any, data: Any) -> None:
        self._paths = [sample.img_path for sample in data['data_samples']]

    def _scores(self, module: nn.Module, given: Any, scores: Any) -> None:
        for path, row in zip(self._paths, scores.tolist(), strict=True):
            found = CLASSES[row.index(max(row))] == Path(path).parent.name
            self._right.setdefault(path, []).append(found)


def test_trained_and_scored_images_alike(
    folders: Path, tmp_path: Path
) -> None:
    config = by_epochs(folders, tmp_path / 'run')
    config.train_cfg.max_epochs = EPOCHS
    watch = Watch()
    hook = dict(delta=dict(type='Budget', saved=0.2), keep_history=True)
    train(with_ies(config, **hook), with_hook(watch))
    arrays = instances_of(tmp_path / 'run')
    assert arrays['correct'].shape == arrays['trained'].shape
    assert not arrays['trained'].all(), 'nothing was left out'
    for epoch, rows in zip(watch.epochs, arrays['correct'], strict=True):
        for path, value in zip(arrays['identity'], rows, strict=True):
            seen = epoch.get(str(path), [])
            wanted = sum(seen) / len(seen) if seen else np.nan
            assert value == pytest.approx(wanted, nan_ok=True)


def test_a_run_that_is_resumed_keeps_them(
    folders: Path, tmp_path: Path
) -> None:
    config = by_epochs(folders, tmp_path / 'whole')
    config.train_cfg.max_epochs = 4
    config = with_ies(config, delta=0.0, keep_history=True)
    train(config)
    whole = tmp_path / 'whole'
    config.work_dir = str(tmp_path / 'again')
    train(resumed(config, whole, 'epoch_2.pth'))
    before, after = (
        instances_of(path)['correct'] for path in (whole, tmp_path / 'again')
    )
    assert np.isfinite(before).all()
    np.testing.assert_array_equal(after, before)


class WatchPixels(Watch):
    """Records the share of right pixels, at the corners of the logits."""

    def before_train(self, runner: Runner) -> None:
        model: Any = runner.model
        model.data_preprocessor.register_forward_hook(self._samples)
        # Not the head, whose forward is called as a function.
        model.decode_head.conv_seg.register_forward_hook(self._logits)

    def _samples(self, module: nn.Module, given: Any, data: Any) -> None:
        super()._samples(module, given, data)
        self._maps = [s.gt_sem_seg.data[0] for s in data['data_samples']]

    def _logits(self, module: nn.Module, given: Any, logits: Any) -> None:
        height, width = logits.shape[2:]
        for path, labels, scores in zip(
            self._paths, self._maps, logits, strict=True
        ):
            step = labels.shape[0] // height, labels.shape[1] // width
            wanted = labels[:: step[0], :: step[1]]
            right = [
                int(scores[:, y, x].argmax()) == int(wanted[y, x])
                for y in range(height)
                for x in range(width)
                if wanted[y, x] != 255
            ]
            share: Any = sum(right) / len(right)
            self._right.setdefault(path, []).append(share)


def test_the_pixels_of_a_segmentor(maps: Path, tmp_path: Path) -> None:
    config = segmentor_config(maps, tmp_path / 'run')
    config.train_cfg.max_epochs = EPOCHS
    watch = WatchPixels()
    hook = dict(delta=dict(type='Budget', saved=0.2), keep_history=True)
    train(with_ies(config, **hook), with_hook(watch))
    arrays = instances_of(tmp_path / 'run')
    assert not arrays['trained'].all(), 'nothing was left out'
    for epoch, rows in zip(watch.epochs, arrays['correct'], strict=True):
        for path, value in zip(arrays['identity'], rows, strict=True):
            seen = epoch.get(str(path), [])
            wanted = sum(seen) / len(seen) if seen else np.nan
            assert value == pytest.approx(wanted, nan_ok=True)


def test_a_detector_has_none(voc: Path, tmp_path: Path) -> None:
    config = plain_config(voc, tmp_path / 'run')
    config.train_cfg.max_epochs = 1
    train(with_ies(config, delta=0.0))
    arrays = instances_of(tmp_path / 'run')
    assert 'correct' not in arrays
    path = tmp_path / 'run' / 'ies' / 'instances.npz'
    assert read_tables(path).correct is None


class Head(nn.Module):
    """Passes its scores to ``_get_loss``, like mmpretrain's heads."""

    def _get_loss(self, scores: Any, samples: Any, weight: float = 1) -> float:
        return weight


class Sample:
    """A data sample with its number."""

    def __init__(
        self, number: int, label: list[int] | None, **more: Any
    ) -> None:
        self.ies_instance = number
        if label is not None:
            self.gt_label = torch.tensor(label)
        vars(self).update(more)


def noted(
    *batches: tuple[Any, list[Sample]], by_epochs: bool = True
) -> torch.Tensor | None:
    model = nn.Module()
    model.head = Head()
    correct = Correctness(4, by_epochs)
    with correct.noting(model):
        for scores, samples in batches:
            assert model.head._get_loss(scores, samples, weight=2) == 2
    assert '_get_loss' not in vars(model.head)
    return correct.take()


def test_an_image_seen_several_times_has_its_part() -> None:
    scores = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    found = noted(
        (scores, [Sample(2, [1]), Sample(0, [1])]),
        (scores, [Sample(2, [0]), Sample(1, [0])]),
    )
    assert found is not None
    assert found[:3].tolist() == [0.0, 1.0, 0.5]
    assert found[3].isnan()


@pytest.mark.parametrize(
    ('scores', 'samples'),
    [
        (torch.zeros(1, 2), [Sample(0, [0], gt_score=torch.ones(2))]),
        (torch.zeros(1, 2), [Sample(0, [0, 1])]),
        (torch.zeros(1, 2), [Sample(0, None)]),
        ([torch.zeros(1, 2)], [Sample(0, [0])]),
        (torch.zeros(1, 2), [Sample(0, [0], ies_partners=(1,))]),
    ],
    ids=['mixed', 'several labels', 'no label', 'several heads', 'mosaic'],
)
def test_what_is_not_right_or_wrong_is_not_known(
    scores: Any, samples: list[Sample]
) -> None:
    assert noted((scores, samples)) is None


def test_nothing_is_noted_where_a_batch_may_belong_to_two_epochs() -> None:
    batch = (torch.zeros(1, 2), [Sample(0, [0])])
    assert noted(batch, by_epochs=False) is None
    assert noted(batch) is not None


class PixelHead(nn.Module):
    """Takes logits and samples, like mmseg's heads."""

    ignore_index = 255

    def loss_by_feat(self, logits: Any, samples: Any) -> None:
        return


def test_a_head_called_by_keywords_and_a_mosaic() -> None:
    labels = SimpleNamespace(data=torch.ones(1, 2, 2))
    logits = torch.tensor([0.0, 1.0]).view(1, 2, 1, 1).expand(1, 2, 2, 2)
    model: Any = nn.Module()
    model.decode_head = PixelHead()
    correct = Correctness(3, True)
    with correct.noting(model):
        for number, partners in ((0, ()), (1, (0, 2))):
            sample = Sample(
                number, None, gt_sem_seg=labels, ies_partners=partners
            )
            model.decode_head.loss_by_feat(samples=[sample], logits=logits)
    found = correct.take()
    assert found is not None
    assert found[0] == 1
    assert found[1:].isnan().all()


def test_void_pixels_do_not_count() -> None:
    maps = torch.tensor([[[0, 255], [1, 1]], [[255, 255], [255, 255]]])
    samples = [
        Sample(number, None, gt_sem_seg=SimpleNamespace(data=labels[None]))
        for number, labels in enumerate(maps)
    ]
    # Class 1 is predicted everywhere.
    logits = torch.tensor([0.0, 1.0]).view(1, 2, 1, 1).expand(2, 2, 2, 2)
    model: Any = nn.Module()
    model.decode_head = nn.ModuleList([PixelHead(), PixelHead()])
    correct = Correctness(3, True)
    with correct.noting(model):
        model.decode_head[0].loss_by_feat(0 * logits, samples)
        model.decode_head[1].loss_by_feat(logits, samples)
        model.decode_head[1].loss_by_feat([logits], samples)
    found = correct.take()
    assert found is not None
    assert found[0] == pytest.approx(2 / 3)
    assert found[1:].isnan().all()
