"""Models that train on something other than what their heads compute."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS as DETECTORS
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.runner import Runner
from mmpretrain.registry import MODELS as CLASSIFIERS
from mmpretrain.registry import TRANSFORMS
from torch import Tensor, nn

from ies_mm.engine import IESHook, InfoBatchHook, SelectiveBackpropHook
from ies_mm.errors import UnsupportedModelError
from ies_mm.losses.agreement import Agreement
from ies_mm.training.hook import step_comparison
from ies_mm.training.hook.step_comparison import StepComparison
from method_cases import config_of
from odd_models import FAULTS, HARMLESS, scaled
from runs import (
    FixedSelection,
    epochs_of,
    instances_of,
    parameters,
    plain_config,
    train,
    with_hook,
)

EPOCHS = 3
HOOKS: dict[str, Callable[[], Any]] = {
    'IES': lambda: IESHook(delta=0.1, order=1, window=1),
    'InfoBatch': InfoBatchHook,
    'Selective-Backprop': SelectiveBackpropHook,
}


def trained(
    folders: Path,
    work_dir: Path,
    hook: str,
    prepare: Any = None,
    epochs: int = EPOCHS,
) -> Runner:
    config = config_of(folders, work_dir, epochs)

    def all_prepared(runner: Runner) -> None:
        runner.register_hook(HOOKS[hook]())
        if prepare:
            prepare(runner)

    return train(config, all_prepared)


@pytest.mark.parametrize('hook', HOOKS)
@pytest.mark.parametrize('fault', FAULTS, ids=lambda fault: fault.__name__)
def test_it_is_refused_in_the_first_batch(
    folders: Path, tmp_path: Path, hook: str, fault: Callable
) -> None:
    with pytest.raises(UnsupportedModelError, match=FAULTS[fault]):
        trained(folders, tmp_path, hook, fault)
    assert not (tmp_path / 'ies/epochs.jsonl').exists()


@pytest.mark.parametrize('hook', HOOKS)
def test_a_model_that_trains_on_its_heads_losses_is_not(
    folders: Path, tmp_path: Path, hook: str
) -> None:
    trained(folders, tmp_path, hook)
    assert len(epochs_of(tmp_path)) == EPOCHS


@pytest.mark.parametrize('change', HARMLESS, ids=lambda f: f.__name__)
def test_what_does_not_change_the_loss_trains_the_same(
    folders: Path, tmp_path: Path, change: Callable
) -> None:
    ours = parameters(trained(folders, tmp_path / 'changed', 'IES', change))
    theirs = parameters(trained(folders, tmp_path / 'plain', 'IES'))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class OneForEachPart:
    def __init__(self, **arguments: Any) -> None: ...

    def __call__(self, model: Any) -> OptimWrapperDict:
        parts = dict(backbone=model.backbone, head=model.head)
        return OptimWrapperDict(
            **{
                name: OptimWrapper(torch.optim.SGD(part.parameters(), 0.01))
                for name, part in parts.items()
            }
        )


@CLASSIFIERS.register_module()
class OfSeveralOptimizers(CLASSIFIERS.get('ImageClassifier')):  # type: ignore
    def train_step(self, data: Any, optim_wrapper: Any) -> dict:
        data = self.data_preprocessor(data, True)
        total, variables = self.parse_losses(self(**data, mode='loss'))
        optim_wrapper.zero_grad()
        total.backward()
        for part in optim_wrapper.values():
            part.step()
        return variables


@pytest.mark.parametrize(
    'hook',
    [
        lambda: FixedSelection(plan={1: [1, 4, 5], 2: [1, 4, 5]}),
        HOOKS['InfoBatch'],
        HOOKS['Selective-Backprop'],
    ],
    ids=HOOKS,
)
def test_several_optimizers(
    folders: Path, tmp_path: Path, hook: Callable[[], Any]
) -> None:
    config = config_of(folders, tmp_path, EPOCHS)
    config.model.type = 'OfSeveralOptimizers'
    config.optim_wrapper = dict(constructor='OneForEachPart')
    train(config, with_hook(hook()))
    records = epochs_of(tmp_path)
    assert len(records) == EPOCHS
    assert sum(record['excluded'] for record in records)


@pytest.mark.parametrize('epoch', [2, 3])
def test_one_that_begins_later_is_found_at_the_end_of_the_epoch(
    folders: Path, tmp_path: Path, epoch: int
) -> None:
    """Weighted training computes shares in every batch."""

    def later(runner: Runner) -> None:
        plain = runner.model.loss

        def loss(*args: Any, **kwargs: Any) -> dict:
            due = runner.epoch + 1 == epoch and runner.iter % 2
            return scaled(plain, 5.0 if due else 1.0)(*args, **kwargs)

        runner.model.loss = loss

    with pytest.raises(UnsupportedModelError, match='shares of the images'):
        trained(folders, tmp_path, 'InfoBatch', later, epochs=6)
    assert len(epochs_of(tmp_path)) == epoch - 1


@TRANSFORMS.register_module()
class BreakOne:
    """Gives one image a non-finite loss."""

    def __call__(self, results: dict) -> dict:
        if results['sample_idx'] == 5:
            results['img'] = results['img'] * np.float32('nan')
        return results


def guarding(runner: Runner) -> None:
    """Skips training on a batch whose loss is not finite."""
    model: Any = runner.model
    original = model.loss

    def loss(*args: Any, **kwargs: Any) -> dict:
        losses = original(*args, **kwargs)
        if losses['loss'].isfinite():
            return losses
        return {'loss': 0 * sum(p.sum() for p in model.parameters())}

    model.loss = loss


@pytest.mark.parametrize('hook', ['IES', 'InfoBatch'])
def test_a_model_that_replaces_a_loss_that_is_not_finite(
    folders: Path, tmp_path: Path, hook: str
) -> None:
    """With weights, the image's loss would still be trained."""
    config = config_of(folders, tmp_path, 6)
    config.model.backbone.norm_eval = True
    config.train_dataloader.dataset.pipeline.insert(1, dict(type='BreakOne'))

    def prepare(runner: Runner) -> None:
        runner.register_hook(HOOKS[hook]())
        guarding(runner)

    if hook == 'InfoBatch':
        with pytest.raises(UnsupportedModelError, match='add up to nan, but'):
            train(config, prepare)
    else:
        weights = parameters(train(config, prepare)).values()
        assert all(weight.isfinite().all() for weight in weights)


@pytest.mark.parametrize('share', [float('inf'), float('nan')])
def test_any_share_that_is_not_finite_is_refused_only_with_weights(
    share: float,
) -> None:
    captured: Any = SimpleNamespace(
        returned={'loss': torch.tensor(0.0)},
        shares={'loss': torch.tensor([share, 1.0])},
    )
    agreement = Agreement(torch.nn.Linear(1, 1))
    agreement.note_shares(captured, weighted=False)
    agreement.check()
    agreement.note_shares(captured, weighted=True)
    with pytest.raises(UnsupportedModelError, match='not finite'):
        agreement.check()


@DETECTORS.register_module()
class ScalesOneTerm(DETECTORS.get('FasterRCNN')):  # type: ignore[misc]
    def loss(self, *args: Any, **kwargs: Any) -> dict:
        losses = super().loss(*args, **kwargs)
        return losses | {'loss_bbox': losses['loss_bbox'] * 5}


def test_a_detector_that_scales_one_term(voc: Path, tmp_path: Path) -> None:
    config = plain_config(voc, tmp_path)
    config.train_dataloader.sampler = dict(type='IESSampler')
    config.model.type = 'ScalesOneTerm'
    with pytest.raises(UnsupportedModelError, match='loss_bbox: the shares'):
        train(config, with_hook(HOOKS['IES']()))


@DETECTORS.register_module()
class DetachesOneTerm(DETECTORS.get('FasterRCNN')):  # type: ignore[misc]
    def loss(self, *args: Any, **kwargs: Any) -> dict:
        losses = super().loss(*args, **kwargs)
        return losses | {'loss_bbox': losses['loss_bbox'].detach()}


@DETECTORS.register_module()
class LeavesOneTermOut(DETECTORS.get('FasterRCNN')):  # type: ignore[misc]
    def loss(self, *args: Any, **kwargs: Any) -> dict:
        losses = super().loss(*args, **kwargs)
        del losses['loss_bbox']
        return losses


@pytest.mark.parametrize('hook', ['IES', 'InfoBatch'])
def test_a_detector_that_detaches_one_term(
    voc: Path, tmp_path: Path, hook: str
) -> None:
    """With weights, it would still be trained by that term."""
    config = plain_config(voc, tmp_path)
    config.train_dataloader.sampler = dict(type='IESSampler')
    config.model.type = 'DetachesOneTerm'
    with pytest.raises(UnsupportedModelError, match=r'loss_bbox: .* detaches'):
        train(config, with_hook(HOOKS[hook]()))


@pytest.mark.parametrize('hook', ['IES', 'InfoBatch'])
def test_a_detector_that_leaves_one_term_out(
    voc: Path, tmp_path: Path, hook: str
) -> None:
    config = plain_config(voc, tmp_path)
    config.train_dataloader.sampler = dict(type='IESSampler')
    config.model.type = 'LeavesOneTermOut'
    train(config, with_hook(HOOKS[hook]()))
    assert 'loss_bbox' not in instances_of(tmp_path)['terms']
    assert len(epochs_of(tmp_path)) == 2


@CLASSIFIERS.register_module()
class SquaredMean(nn.Module):
    """Not a mean of per-image values, although it claims so."""

    reduction, loss_weight = 'mean', 1.0

    def forward(self, score: Tensor, label: Tensor, **kwargs: Any) -> Tensor:
        return nn.functional.cross_entropy(score, label).square()


def test_a_loss_that_is_no_mean(folders: Path, tmp_path: Path) -> None:
    config = config_of(folders, tmp_path, EPOCHS)
    config.model.head.loss = dict(type='SquaredMean')
    with pytest.raises(UnsupportedModelError):
        train(config, with_hook(HOOKS['IES']()))


def test_the_training_is_that_without_comparing(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = parameters(trained(folders, tmp_path / 'compared', 'IES'))
    monkeypatch.setattr(StepComparison, 'begin_epoch', lambda *_: None)
    monkeypatch.setattr(step_comparison, 'FIRST_COMPARED', 0)
    monkeypatch.setattr(Agreement, 'note_shares', lambda *_: None)
    theirs = parameters(trained(folders, tmp_path / 'not', 'IES'))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
