"""Custom loops, datasets and preprocessors that MMEngine accepts."""

import copy
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from mmcv.transforms import BaseTransform
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmpretrain.datasets import CustomDataset
from mmpretrain.models import ClsDataPreprocessor
from mmpretrain.registry import DATASETS, MODELS, TRANSFORMS

from ies_mm.engine import IESHook, InfoBatchHook, SelectiveBackpropHook
from ies_mm.errors import UnsupportedModelError
from ies_mm.training.loop.batches import sample_of
from runs import FixedSelection, epochs_of, parameters, train, with_hook
from same_runs import assert_equal, by_epochs

OUT = [1, 4]
METHODS = [
    (FixedSelection, dict(plan=dict.fromkeys(range(1, 9), OUT))),
    (InfoBatchHook, dict(anneal=0.0)),
    (SelectiveBackpropHook, dict()),
]


@LOOPS.register_module()
class StepsLoop(EpochBasedTrainLoop):
    """Skips the step of the second batch, or makes several of every batch."""

    steps = 1

    def run_iter(self, idx: int, data_batch: Any) -> None:
        call, batch = self.runner.call_hook, dict(data_batch=data_batch)
        call('before_train_iter', batch_idx=idx, **batch)
        outputs: dict = {}
        for _ in range(self.steps if idx != 1 else self.steps - 1):
            outputs = self.runner.model.train_step(
                data_batch, self.runner.optim_wrapper
            )
        call('after_train_iter', batch_idx=idx, outputs=outputs, **batch)
        self._iter += 1


@DATASETS.register_module()
class Curriculum(CustomDataset):
    """Switches to another pipeline after some samples."""

    calls = 0

    def prepare_data(self, idx: int) -> Any:
        self.calls += 1
        if self.calls == 25:
            transforms = [Counted(), *self.pipeline.transforms]
            self.pipeline = Compose(transforms)
        return super().prepare_data(idx)


class Counted(BaseTransform):
    calls = 0

    def transform(self, results: dict) -> dict:
        Counted.calls += 1
        return results


@TRANSFORMS.register_module()
class WithDepth(BaseTransform):
    """Two kinds of inputs, as a dict or a tuple."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def transform(self, results: dict) -> dict:
        image = results['inputs']
        results['inputs'] = (
            dict(image=image, depth=image[:1])
            if self.kind == 'dict'
            else (image, image[:1])
        )
        return results


@MODELS.register_module()
class ImageOfTwo(ClsDataPreprocessor):
    def forward(self, data: dict, training: bool = False) -> Any:
        inputs = data['inputs']
        is_dict = isinstance(inputs, dict)
        image = inputs['image'] if is_dict else inputs[0]
        return super().forward(dict(data, inputs=image), training)


@MODELS.register_module()
class InPlace(ClsDataPreprocessor):
    """Modifies its input batch in place."""

    brightest = 0.0
    darkest = 1.0

    def forward(self, data: dict, training: bool = False) -> Any:
        for place, image in enumerate(data['inputs']):
            data['inputs'][place] = scaled = image.float() / 255
            InPlace.brightest = max(self.brightest, float(scaled.max()))
            InPlace.darkest = min(self.darkest, float(scaled.max()))
        return super().forward(data, training)


@pytest.fixture
def steps(request: pytest.FixtureRequest) -> Iterator[None]:
    StepsLoop.steps = request.param
    yield
    StepsLoop.steps = 1


@pytest.fixture
def config(folders: Path, tmp_path: Path) -> Config:
    config = by_epochs(folders, tmp_path)
    config.train_cfg.max_epochs = 3
    return config


@pytest.mark.parametrize(('hook', 'arguments'), METHODS)
@pytest.mark.parametrize('steps', [1], indirect=True)
def test_a_loop_that_leaves_a_step_out(
    config: Config, steps: None, hook: Any, arguments: dict
) -> None:
    """An untrained batch is not observed, and no losses are mixed up."""
    config.train_cfg.type = 'StepsLoop'
    train(config, with_hook(hook(**arguments)))
    records = epochs_of(Path(config.work_dir))
    assert len(records) == 3
    assert records[0]['trained'] + records[0]['excluded'] == 16


@pytest.mark.parametrize(('hook', 'arguments'), METHODS)
@pytest.mark.parametrize('steps', [2], indirect=True)
def test_a_loop_that_makes_several_steps_of_a_batch_is_refused(
    config: Config, steps: None, hook: Any, arguments: dict
) -> None:
    """The second step would train without weights, on the whole batch."""
    config.train_cfg.type = 'StepsLoop'
    with pytest.raises(UnsupportedModelError, match='more than one train_st'):
        train(config, with_hook(hook(**arguments)))


class Keeps(Hook):
    """Copies and saves the whole model in mid-iteration."""

    copied: Any = None

    def before_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        file = BytesIO()
        torch.save(runner.model, file)
        file.seek(0)
        self.saved = torch.load(file, weights_only=False)
        self.copied = copy.deepcopy(runner.model)

    after_train_iter = before_train_iter


@pytest.mark.parametrize('priority', ['VERY_HIGH', 'VERY_LOW'])
def test_a_hook_that_keeps_the_whole_model(
    config: Config, priority: str
) -> None:
    """The copy trains on its own, as often as it is called."""
    keeps = Keeps()

    def prepare(runner: Runner) -> None:
        runner.register_hook(IESHook(0))
        runner.register_hook(keeps, priority=priority)

    runner = train(config, prepare)
    assert len(epochs_of(Path(config.work_dir))) == 3
    batch = next(iter(runner.train_dataloader))
    before = parameters(runner)
    for model in (keeps.saved, keeps.copied):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(2):
            model.train_step(batch, OptimWrapper(optimizer))
        assert not torch.equal(model.head.fc.weight, before['head.fc.weight'])
    assert_equal(parameters(runner), before)


def test_a_data_set_that_takes_another_pipeline_keeps_it(
    config: Config,
) -> None:
    config.train_dataloader.dataset.type = 'Curriculum'
    Counted.calls = 0
    train(config, with_hook(IESHook(0)))
    assert Counted.calls == 3 * 20 - 24


@pytest.mark.parametrize('kind', ['dict', 'tuple'])
def test_inputs_of_two_kinds_are_chosen_from(
    config: Config, kind: str
) -> None:
    config.train_dataloader.dataset.pipeline.append(
        dict(type='WithDepth', kind=kind)
    )
    config.model.data_preprocessor.type = 'ImageOfTwo'
    train(config, with_hook(SelectiveBackpropHook()))
    assert len(epochs_of(Path(config.work_dir))) == 3


@pytest.mark.parametrize(
    'samples',
    [
        [dict(a=1, b='x'), dict(a=2, b='y')],
        [dict(a=(1, 5), b=dict(c=3)), dict(a=(2, 6), b=dict(c=4))],
        [('p', (1, 2)), ('q', (3, 4))],
    ],
)
def test_a_sample_of_a_batch_is_what_was_put_into_it(samples: list) -> None:
    batch = pseudo_collate(samples)
    assert [sample_of(batch, place) for place in (0, 1)] == samples


@pytest.mark.parametrize('hook', [lambda: IESHook(0), SelectiveBackpropHook])
def test_a_preprocessor_that_writes_into_its_batch(
    config: Config, hook: Any
) -> None:
    """The scored batch is trained as it was loaded."""
    config.model.data_preprocessor.type = 'InPlace'
    InPlace.brightest, InPlace.darkest = 0.0, 1.0
    train(config, with_hook(hook()))
    assert InPlace.brightest == 1.0
    assert InPlace.darkest > 0.9
