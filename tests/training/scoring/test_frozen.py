"""Forward passes with fixed weights: all differences are noise."""

from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner
from torch import Tensor

from ies_mm.errors import ConfigError
from ies_mm.training.data.identity import InstanceMap
from ies_mm.training.scoring.frozen import FrozenPasses
from ies_mm.training.scoring.seeding import samplers_of, seed_all
from runs import parameters, plain_config
from task_runs import classifier_config, segmentor_config

NAMES = ['loss_rpn_cls', 'loss_rpn_bbox', 'loss_cls', 'loss_bbox']
RPN = 'rpn_head.sampler'
ROI = 'roi_head.bbox_sampler'


@pytest.fixture(scope='module')
def detector(voc: Path, tmp_path_factory: pytest.TempPathFactory) -> Runner:
    work_dir = tmp_path_factory.mktemp('frozen')
    return ready(plain_config(voc, work_dir))


def ready(config: object) -> Runner:
    """A runner with its loader, whose samples are tagged with their image."""
    runner = Runner.from_cfg(config)
    runner.train_loop  # noqa: B018  builds the loader
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.instances = InstanceMap(runner.train_dataloader.dataset)
    return runner


def passes_of(
    runner: Runner, images: int = 6, **arguments: bool
) -> FrozenPasses:
    ids = torch.arange(images)
    return FrozenPasses(runner, runner.instances, ids, **arguments)


def spread(losses: Tensor) -> dict[str, bool]:
    """The terms that differ between passes."""
    moved = (losses.std(dim=0) > 1e-6).any(dim=0)
    return dict(zip(NAMES, moved.tolist(), strict=True))


def test_the_sources_are_named(detector: Runner) -> None:
    expected = ['augmentation', 'batches', 'dropout', RPN, ROI]
    assert passes_of(detector).sources() == expected


class Sampler:
    def sample(self) -> None:
        return


def test_a_cascade_has_a_sampler_for_each_stage() -> None:
    model = torch.nn.ModuleDict({'roi_head': torch.nn.Module()})
    first, second = Sampler(), Sampler()
    model['roi_head'].bbox_sampler = [first, second]
    assert samplers_of(model) == {
        'roi_head.bbox_sampler.0': first,
        'roi_head.bbox_sampler.1': second,
    }


def test_with_everything_held_still_passes_are_equal(detector: Runner) -> None:
    losses = passes_of(detector).losses(3, NAMES, vary=())
    assert losses.shape == (3, 6, 4)
    assert torch.equal(losses[0], losses[1])
    assert torch.equal(losses[0], losses[2])
    assert (losses[:, :, 0] > 0).all()


@pytest.mark.parametrize(
    ('source', 'moves'),
    [
        ('augmentation', NAMES),
        ('batches', NAMES),  # BatchNorm sees other images
        ('dropout', []),  # this model has none
        (RPN, ['loss_rpn_cls']),
        (ROI, ['loss_cls']),  # all positive RoIs are sampled
    ],
)
def test_a_source_moves_its_own_terms(
    detector: Runner, source: str, moves: list[str]
) -> None:
    losses = passes_of(detector).losses(4, NAMES, vary=[source])
    moved = spread(losses)
    assert [term for term in NAMES if moved[term]] == moves


@pytest.mark.parametrize('vary', [[], ['augmentation']])
def test_an_image_has_its_own_augmentation(
    detector: Runner, monkeypatch: pytest.MonkeyPatch, vary: list[str]
) -> None:
    """Some images are flipped; which ones depends only on augmentation."""
    passes, flips = passes_of(detector, images=12), []
    collate = passes._collate

    def noting(items: list) -> object:
        flips.extend(bool(item['data_samples'].flip) for item in items)
        return collate(items)

    monkeypatch.setattr(passes, '_collate', noting)
    passes.losses(2, NAMES, vary)
    assert 0 < sum(flips[:12]) < 12
    assert (flips[:12] == flips[12:]) == (not vary)


def test_dropout_moves_a_segmentor(maps: Path, tmp_path: Path) -> None:
    runner = ready(segmentor_config(maps, tmp_path))
    names = ['decode.loss_ce', 'aux.loss_ce']
    losses = passes_of(runner, 4).losses(3, names, vary=['dropout'])
    assert (losses.std(dim=0)[:, 0] > 1e-4).all()
    assert (losses.std(dim=0)[:, 1] > 1e-4).all()


def test_nothing_of_the_training_is_touched(detector: Runner) -> None:
    before = parameters(detector)
    training = detector.model.training
    passes = passes_of(detector)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    passes.losses(2, NAMES, passes.sources())
    assert torch.equal(torch.get_rng_state(), state)
    assert detector.model.training == training
    after = parameters(detector)
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_another_seed_gives_other_noise(detector: Runner) -> None:
    first, second = (
        passes_of(detector, seed=seed).losses(1, NAMES, vary=())
        for seed in (0, 1)
    )
    assert not torch.equal(first, second)


def test_no_image_is_left_alone_in_a_batch(maps: Path, tmp_path: Path) -> None:
    """BatchNorm after global pooling needs at least two values."""
    runner = ready(segmentor_config(maps, tmp_path))
    size = runner.train_dataloader.batch_sampler.batch_size
    names = ['decode.loss_ce', 'aux.loss_ce']
    losses = passes_of(runner, 2 * size + 1).losses(1, names, vary=())
    assert (losses > 0).all()


def test_sources_draw_independently(
    detector: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds = []

    def noting(*numbers: int) -> None:
        seeds.append(numbers)
        seed_all(*numbers)

    monkeypatch.setattr('ies_mm.training.scoring.frozen.seed_all', noting)
    passes = passes_of(detector)
    passes.losses(2, NAMES, passes.sources())
    # Augmentation and two samplers for six images, dropout for two batches.
    assert len(seeds) == len(set(seeds)) == 2 * (3 * 6 + 2)


def test_mixtures_have_a_noise_of_their_own(
    folders: Path, tmp_path: Path
) -> None:
    config = classifier_config(folders, tmp_path)
    config.model.train_cfg = dict(augments=dict(type='Mixup', alpha=0.8))
    config.model.data_preprocessor.num_classes = 3
    with pytest.raises(ConfigError, match=r'mixes images \(Mixup\), and the'):
        passes_of(ready(config))
