"""Losses belong to the images that the model's loss was actually given.

With fixed weights, every image has one loss of its own, in whatever
order its batch is computed.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmpretrain.models import ClsDataPreprocessor, ImageClassifier
from mmpretrain.registry import MODELS

from ies_mm.core import Selection, Standing
from ies_mm.engine import (
    IESHook,
    InfoBatchHook,
    SelectiveBackpropHook,
)
from ies_mm.errors import ConfigError
from ies_mm.methods.method import Decision
from ies_mm.methods.random_removal.rule import RandomRemoval
from ies_mm.training.data.identity import InstanceMap
from ies_mm.training.hook.selection_hook import SelectionHook
from ies_mm.training.scoring.frozen import FrozenPasses
from method_cases import config_of
from runs import FixedSelection, instances_of, parameters, train, with_hook
from task_runs import in_iterations

OUT = {epoch: [1, 4, 5, 9] for epoch in range(1, 20)}


@MODELS.register_module()
class Reordering(ClsDataPreprocessor):
    """Sorts a batch's images, and their samples, by brightness."""

    def forward(self, data: Any, training: bool = False) -> Any:
        found = super().forward(data, training)
        order = found['inputs'].mean(dim=(1, 2, 3)).argsort()
        found['inputs'] = found['inputs'][order]
        samples = found['data_samples']
        found['data_samples'] = [samples[i] for i in order.tolist()]
        return found


@MODELS.register_module()
class Forgetful(ClsDataPreprocessor):
    """Creates new samples."""

    def forward(self, data: Any, training: bool = False) -> Any:
        found = super().forward(data, training)
        for sample in found['data_samples']:
            for key in list(sample.metainfo_keys()):
                delattr(sample, key)
        return found


@MODELS.register_module()
class Replaying(ImageClassifier):
    """Processes the previous batch again, first or last."""

    after = False
    before: Any = None

    def train_step(self, data: Any, optim_wrapper: Any) -> Any:
        if self.before is not None and not self.after:
            self._look(self.before)
        found = super().train_step(data, optim_wrapper)
        if self.before is not None and self.after:
            self._look(self.before)
        self.before = data
        return found

    def _look(self, data: Any) -> None:
        with torch.no_grad():
            self(**self.data_preprocessor(data, True), mode='loss')


@MODELS.register_module()
class Exchanging(ImageClassifier):
    """Trains on the first batch over and over."""

    first: Any = None

    def train_step(self, data: Any, optim_wrapper: Any) -> Any:
        self.first = self.first or data
        return super().train_step(self.first, optim_wrapper)


@MODELS.register_module()
class Silent(ImageClassifier):
    """Computes its loss without calling ``loss``."""

    def forward(
        self, inputs: Any, data_samples: Any = None, mode: str = 'tensor'
    ) -> Any:
        features = self.extract_feat(inputs)
        return self.head.loss(features, data_samples)


def still(folders: Path, work_dir: Path, reordered: bool) -> Config:
    """A training with fixed weights."""
    config = config_of(folders, work_dir, 4)
    config.train_dataloader.dataset.pipeline.pop(1)
    config.optim_wrapper.optimizer.lr = 0.0
    config.model.backbone.norm_eval = True
    if reordered:
        config.model.data_preprocessor.type = 'Reordering'
    return config


HOOKS = {
    'IES': (FixedSelection, dict(plan=OUT)),
    'fall-back': (FixedSelection, dict(plan=OUT, fallback=True)),
    'InfoBatch': (InfoBatchHook, dict(anneal=0.0)),
    'Selective-Backprop': (SelectiveBackpropHook, {}),
}


@pytest.mark.parametrize('loop', ['epochs', 'iterations'])
@pytest.mark.parametrize('name', HOOKS)
def test_a_reordered_batch_keeps_every_loss_at_its_image(
    folders: Path, tmp_path: Path, name: str, loop: str
) -> None:
    kind, arguments = HOOKS[name]
    found = []
    for reordered in (False, True):
        work_dir = tmp_path / str(reordered)
        config = still(folders, work_dir, reordered)
        if loop == 'iterations':
            # Batches of 3 do not align with passes over 20 images.
            config = in_iterations(config, 27)
            config.train_dataloader.batch_size = 3
            config.train_dataloader.sampler.type = 'IESSampler'
        train(config, with_hook(kind(keep_history=True, **arguments)))
        found.append(instances_of(work_dir))
    plain, other = found
    assert (other['trained'] == plain['trained']).all()
    np.testing.assert_allclose(other['losses'], plain['losses'], rtol=1e-4)
    ours = plain['losses'][0, :, 0].round(5)
    assert len(set(ours)) == len(ours), 'images that could be mistaken'


class Weights(RandomRemoval):
    """Trains on everything, each image with a different weight."""

    def __init__(self) -> None:
        super().__init__(ratio=0.0)

    def first_selection(self, standing: Standing) -> Selection:
        active = torch.ones(20, dtype=torch.bool)
        return Selection(active, torch.linspace(0, 4, 20))

    def decide(self, history: Any, names: Any, standing: Standing) -> Decision:
        selection = self.first_selection(standing)
        return Decision(~selection.active, selection)


def weighted() -> SelectionHook:
    return SelectionHook(Weights())


def test_a_reordered_batch_keeps_every_weight_at_its_image(
    folders: Path, tmp_path: Path
) -> None:
    found = []
    for reordered in (False, True):
        config = still(folders, tmp_path / str(reordered), reordered)
        config.optim_wrapper.optimizer.lr = 0.01
        config.train_cfg.max_epochs = 1
        found.append(parameters(train(config, with_hook(weighted()))))
    for key, value in found[0].items():
        torch.testing.assert_close(found[1][key], value, rtol=1e-4, atol=1e-6)


def test_repeated_passes_keep_every_loss_at_its_image(
    folders: Path, tmp_path: Path
) -> None:
    found = []
    for reordered in (False, True):
        config = still(folders, tmp_path / str(reordered), reordered)
        runner = Runner.from_cfg(config)
        runner._train_loop = runner.build_train_loop(runner._train_loop)
        runner.optim_wrapper = runner.build_optim_wrapper(config.optim_wrapper)
        instances = InstanceMap(runner.train_dataloader.dataset)
        passes = FrozenPasses(runner, instances, torch.arange(3, 17))
        found.append(passes.losses(2, ['loss'], passes.sources()))
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('hook', [IESHook(0.1), SelectiveBackpropHook()])
def test_samples_without_their_numbers_are_refused(
    folders: Path, tmp_path: Path, hook: Any
) -> None:
    config = still(folders, tmp_path, False)
    config.model.data_preprocessor.type = 'Forgetful'
    with pytest.raises(ConfigError, match='do not say which image they show'):
        train(config, with_hook(hook))


@pytest.mark.parametrize(
    'hook',
    [
        lambda: IESHook(0.1),
        lambda: weighted(),
        lambda: SelectiveBackpropHook(beta=0),
    ],
)
@pytest.mark.parametrize(
    ('kind', 'message'),
    [
        ('Replaying', 'which are not the 4 of the batch'),
        ('Exchanging', 'which are not the 4 of the batch'),
        ('Silent', "did not call the model's loss"),
    ],
)
def test_another_loss_forward_is_refused_before_it_trains(
    folders: Path, tmp_path: Path, kind: str, message: str, hook: Any
) -> None:
    config = still(folders, tmp_path, False)
    config.model.type = kind
    with pytest.raises(ConfigError, match=message):
        train(config, with_hook(hook()))


def test_a_look_back_after_the_step_is_refused_too(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Replaying, 'after', True)
    config = still(folders, tmp_path, False)
    config.model.type = 'Replaying'
    with pytest.raises(ConfigError, match='more than once in a training'):
        train(config, with_hook(IESHook(0.1)))


def test_the_plain_training_of_all_of_these_works(
    folders: Path, tmp_path: Path
) -> None:
    """So that the hook is what refuses them."""
    for kind in ('Replaying', 'Exchanging', 'Silent'):
        config = still(folders, tmp_path / kind, False)
        config.train_dataloader.sampler.type = 'DefaultSampler'
        config.model.type = kind
        train(config)
