"""Trainings that mix the images of a batch: Mixup and CutMix."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ies_mm.engine import (
    IESHook,
    RandomRemovalHook,
    SelectiveBackpropHook,
)
from ies_mm.training.hook.observing import ByMixtures
from ies_mm.training.scoring.seeding import seed_all
from method_cases import config_of
from mixing_runs import AUGMENTS, mixed
from runs import (
    FixedSelection,
    epochs_of,
    instances_of,
    parameters,
    train,
    with_hook,
)
from same_runs import assert_equal, assert_same_run, by_iterations, resumed
from task_runs import classifier_config

OUT = {2: [0, 3, 5, 8], 3: [1, 3, 5, 7, 9, 11]}


class Alone(Hook):
    """Records the losses of unmixed images after two epochs."""

    priority = 'LOWEST'

    def after_train_epoch(self, runner: Runner) -> None:
        if runner.epoch == 1:
            self.losses = losses_alone(runner)


def losses_alone(runner: Runner) -> torch.Tensor:
    """Cross-entropy of each unmixed image, with BatchNorm's means."""
    config = runner.cfg.train_dataloader.dataset.copy()
    config.pipeline = [config.pipeline[0], config.pipeline[-1]]
    dataset = DATASETS.build(config | dict(_scope_='mmpretrain'))
    model = runner.model.eval()
    found = []
    with torch.no_grad():
        for image in dataset:
            data = model.data_preprocessor(pseudo_collate([image]))
            scores = model.head(model.extract_feat(data['inputs']))
            label = data['data_samples'][0].gt_label
            found.append(float(-scores.log_softmax(dim=1)[0, label]))
    model.train()
    return torch.tensor(found)


@pytest.mark.parametrize('probs', [None, [0.5, 0.2]])
def test_off_is_bit_identical_to_the_plain_run(
    folders: Path, tmp_path: Path, probs: list | None
) -> None:
    """Also if some batches are not mixed at all."""
    plain = mixed(classifier_config(folders, tmp_path / 'plain'), probs)
    ies = mixed(config_of(folders, tmp_path / 'ies', 3), probs)
    plain.train_cfg.max_epochs = 3
    hook = IESHook(delta=0, scoring=dict(interval=1))
    expected, found = train(plain), train(ies, with_hook(hook))
    assert_equal(parameters(found), parameters(expected))
    records = epochs_of(tmp_path / 'ies')
    assert [r['forward_only'] for r in records] == [20, 20, 0]


def test_images_are_scored_as_they_are(folders: Path, tmp_path: Path) -> None:
    config = mixed(config_of(folders, tmp_path, 4))
    config.log_level = 'INFO'
    hook = FixedSelection(OUT, keep_history=True, scoring=dict(interval=2))
    alone = Alone()

    def register(runner: Runner) -> None:
        runner.register_hook(hook)
        runner.register_hook(alone)

    train(config, register)
    arrays = instances_of(tmp_path)
    found = torch.from_numpy(arrays['losses'][1, :, 0])
    torch.testing.assert_close(found, alone.losses)
    assert np.isnan(arrays['losses'][[0, 2, 3]]).all()
    assert [*map(sum, arrays['trained'])] == [20, 20, 16, 14]
    log = ''.join(path.read_text() for path in tmp_path.glob('*/*.log'))
    said = (
        'the training mixes images (Mixup, CutMix): every 2 epochs all are '
        'scored by forward passes without mixing, by the pipeline '
        'LoadImageFromFile, PackInputs\n'
    )
    assert log.count(said) == 1


class Spy:
    """Records each batch's images, its mixtures, and the mixtures' losses."""

    def __init__(self, runner: Runner) -> None:
        self.batches: list[dict[str, Any]] = []
        model = runner.model
        model.data_preprocessor.register_forward_pre_hook(self.images)
        model.backbone.register_forward_pre_hook(self.mixtures)
        model.head.register_forward_hook(self.scores)
        model.head.loss_module.register_forward_hook(self.target)

    def images(self, preprocessor: Any, args: tuple) -> None:
        images = torch.stack(args[0]['inputs']).float()
        images = (images - preprocessor.mean) / preprocessor.std
        paths = [sample.img_path for sample in args[0]['data_samples']]
        self.batches.append(dict(images=images, paths=paths))

    def mixtures(self, _: Any, args: tuple) -> None:
        self.batches[-1]['mixtures'] = args[0]

    def scores(self, _: Any, __: Any, scores: torch.Tensor) -> None:
        self.batches[-1]['scores'] = scores.detach()
        self.batches[-1]['trains'] = scores.requires_grad

    def target(self, _: Any, args: tuple, __: Any) -> None:
        self.batches[-1]['target'] = args[1]


@pytest.mark.parametrize(
    ('kind', 'arguments', 'trains'),
    [
        (IESHook, dict(delta=0.1), True),
        (SelectiveBackpropHook, dict(), False),
    ],
)
def test_mixtures_are_noted_for_all_images_in_them(
    folders: Path, tmp_path: Path, kind: type, arguments: dict, trains: bool
) -> None:
    """A mixture's images are found from its pixels by least squares."""
    config = mixed(config_of(folders, tmp_path, 1))
    config.train_dataloader.dataset.pipeline.pop(1)  # no flips
    config.model.train_cfg.augments = AUGMENTS[:1]
    hook = kind(observe='mixtures', keep_history=True, **arguments)
    spies: list[Spy] = []

    def register(runner: Runner) -> None:
        spies.append(Spy(runner))
        runner.register_hook(hook)

    train(config, register)
    noted: dict[str, list[float]] = {}
    for batch in spies[0].batches:
        if batch['trains'] is not trains:
            continue
        log = batch['scores'].log_softmax(dim=1)
        losses = -(batch['target'] * log).sum(dim=1)
        pixels = batch['images'].flatten(1)
        mixtures = batch['mixtures'].flatten(1)
        parts = torch.linalg.lstsq(pixels.T, mixtures.T).solution.T
        for loss, row in zip(losses.tolist(), parts, strict=True):
            for place in torch.nonzero(row > 1e-3).flatten().tolist():
                noted.setdefault(batch['paths'][place], []).append(loss)
    assert max(map(len, noted.values())) == 2
    arrays = instances_of(tmp_path)
    found = arrays['losses'][0, :, 0]
    expected = [np.mean(noted[path]) for path in arrays['identity']]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


class Noted:
    """Stand-in for the observations of an epoch."""

    def __init__(self) -> None:
        self.rows: list[tuple] = []

    def add(self, epochs: Any, ids: Any, losses: Any, missing: Any) -> None:
        values = zip(ids.tolist(), losses['loss'].tolist(), strict=True)
        self.rows.append((epochs, [*values]))


def test_partners_of_a_pipeline_are_noted_too() -> None:
    """In an endless stream, a batch may span two epochs."""
    session, batch, captured = (type('', (), {})() for _ in range(3))
    session.observed = Noted()
    batch.ids = torch.tensor([4, 7, 2])
    batch.partners = [(1, 4), (), (9, -1)]
    batch.epochs = [(0, 2), (1, 1)]
    captured.losses = dict(loss=torch.tensor([0.5, 0.25, 1.0]))
    captured.missing = {}
    ByMixtures(session, None).note(batch, captured)
    assert session.observed.rows == [
        ([(0, 4)], [(4, 0.5), (1, 0.5), (4, 0.5), (7, 0.25)]),
        ([(1, 2)], [(2, 1.0), (9, 1.0)]),
    ]


def test_partners_of_the_image_that_is_mixed_in_are_noted_too() -> None:
    session, batch, captured = (type('', (), {})() for _ in range(3))
    session.observed = Noted()
    batch.ids, batch.partners = torch.tensor([5, 6]), [(7, 8), (9,)]
    batch.epochs = [(0, 2)]
    captured.losses = dict(loss=torch.tensor([0.5, 0.25]))
    captured.missing = {}
    source = ByMixtures(session, None)
    source._mates = [torch.ones(2, 2, dtype=torch.bool)]
    source.note(batch, captured)
    [(_, rows)] = session.observed.rows
    first = [(5, 0.5), (7, 0.5), (8, 0.5), (6, 0.5), (9, 0.5)]
    assert rows == [
        *first,
        (6, 0.25), (9, 0.25), (5, 0.25), (7, 0.25), (8, 0.25),
    ]  # fmt: skip


def test_random_removal_scores_nothing(folders: Path, tmp_path: Path) -> None:
    config = mixed(config_of(folders, tmp_path, 3))
    hook = RandomRemovalHook(0.25, keep_history=True)
    train(config, with_hook(hook))
    records = epochs_of(tmp_path)
    assert [r['trained'] for r in records] == [15] * 3
    assert [r['forward_only'] for r in records] == [0] * 3
    assert np.isnan(instances_of(tmp_path)['losses']).all()


def test_random_removal_scores_where_that_is_asked(
    folders: Path, tmp_path: Path
) -> None:
    config = mixed(config_of(folders, tmp_path, 3))
    hook = RandomRemovalHook(
        0.25, keep_history=True, observe='scoring', scoring=dict(interval=1)
    )
    train(config, with_hook(hook))
    scored = [r['forward_only'] for r in epochs_of(tmp_path)]
    losses = instances_of(tmp_path)['losses']
    assert scored[:2] == [20] * 2
    assert np.isfinite(losses[:2]).all()


class Reseed(Hook):
    """MMEngine does not save the random state of the augmentation."""

    priority = 'VERY_HIGH'

    def before_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        seed_all(5, runner.iter)


def test_resumed_in_the_middle_of_a_pass(
    folders: Path, tmp_path: Path
) -> None:
    """The checkpoint knows which images were trained without a loss."""

    def run(config: Config) -> None:
        def register(runner: Runner) -> None:
            runner.register_hook(Reseed())
            runner.register_hook(hook)

        hook = FixedSelection({2: [1, 2], 3: [3]}, scoring=dict(interval=2))
        hook.keep_history = True
        train(mixed(config), register)

    whole, again = tmp_path / 'whole', tmp_path / 'again'
    run(by_iterations(folders, whole))
    run(resumed(by_iterations(folders, again), whole, 'iter_8.pth'))
    last = Path((whole / 'last_checkpoint').read_text()).name
    assert_same_run(again, whole, last)
    trained = instances_of(whole)['trained']
    assert trained[:2].all()
    assert trained[2].sum() == 18


@pytest.mark.parametrize('saved', [0.3])
def test_what_is_pruned_comes_of_the_scores(
    folders: Path, tmp_path: Path, saved: float
) -> None:
    """The default setting, which otherwise re-checks by training."""
    config = mixed(config_of(folders, tmp_path, 12))
    train(config, with_hook(IESHook(saved=saved, order=0, window=1)))
    records = epochs_of(tmp_path)
    scored = [r['epoch'] for r in records if r['forward_only']]
    assert scored == [3, 6, 9]  # half of the epochs for two observations
    assert [r['excluded'] for r in records[:6]] == [0] * 6
    assert records[-1]['saved'] == pytest.approx(saved, abs=0.02)


def test_the_last_scores_are_kept_without_the_history(
    folders: Path, tmp_path: Path
) -> None:
    """The last epochs are not scored, and a method may read a single score."""
    config = mixed(config_of(folders, tmp_path, 4))
    hook = FixedSelection({}, order=0, window=1, scoring=dict(interval=2))
    train(config, with_hook(hook))
    run = instances_of(tmp_path)
    scored = np.isfinite(run['losses']).any(axis=(1, 2))
    assert run['epochs'][scored].tolist() == [2]
