"""Every config builds and takes a step; twins differ by hook and sampler.

The paper's settings are written down here a second time, from its text
(section 4.1, tables 1 and 2, appendices A, B and E), in torch's words.
"""

import copy
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import (
    DATASETS,
    FUNCTIONS,
    PARAM_SCHEDULERS,
    init_default_scope,
)
from mmengine.runner import Runner
from PIL import Image
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import (
    ConstantLR,
    ExponentialLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
)

from config_steps import build, skeleton, step
from ies_mm.losses import capture_per_image_losses

CONFIGS = Path(__file__).parents[1] / 'configs'
# Those of the other methods: test_method_configs.py.
NAMES = sorted(
    path.relative_to(CONFIGS).as_posix()
    for path in CONFIGS.rglob('*.py')
    if not {'_base_', 'methods'} & set(path.parts)
)
IES = [name for name in NAMES if Path(name).name.startswith('ies_')]
PLAIN = [name for name in NAMES if name not in IES]

# Which sampler the IESSampler stands in for.
PLAIN_SAMPLERS = dict(
    EpochBasedTrainLoop='DefaultSampler', IterBasedTrainLoop='InfiniteSampler'
)
# VOC2012, for the passes of a training that counts iterations.
IMAGES = {
    'ImageSets/Segmentation/train.txt': 1464,
    'ImageSets/Segmentation/aug.txt': 9118,
}


class Data(NamedTuple):
    """What the paper says of a data set."""

    type: str
    classes: int
    side: int
    epochs: int
    batch: int
    delta: float
    anneal: float


CIFAR10 = Data('CIFAR10', 10, 32, 200, 64, 1e-3, 0.0)
# The authors' program doubles the delta, as log(classes) doubles.
CIFAR100 = Data('CIFAR100', 100, 32, 200, 64, 2e-3, 0.0)
IMAGENET = Data('ImageNet', 1000, 224, 150, 128, 1.0, 0.1)


class Row(NamedTuple):
    """One training of tables 1 and 2."""

    data: Data
    optimiser: str
    backbone: dict
    # Known sizes: torchvision's, or those of its usual 32x32 variants.
    millions: float


RESNET18 = dict(type='ResNet_CIFAR', depth=18)
RESNET34 = dict(type='ResNet_CIFAR', depth=34)
RESNET50 = dict(type='ResNet_CIFAR', depth=50)
RESNET101 = dict(type='ResNet_CIFAR', depth=101)
VGG16 = dict(type='VGG', depth=16)
DENSENET121 = dict(type='DenseNet', arch='121')
BIG_RESNET34 = dict(type='ResNet', depth=34)
BIG_RESNET101 = dict(type='ResNet', depth=101)
PAPER = {
    'cifar/resnet18_cifar10': Row(CIFAR10, 'Adam', RESNET18, 11.17),
    'cifar/resnet18_cifar10_adamw': Row(CIFAR10, 'AdamW', RESNET18, 11.17),
    'cifar/resnet18_cifar10_sgd_f': Row(CIFAR10, 'SGD(F)', RESNET18, 11.17),
    'cifar/resnet18_cifar10_sgd_l': Row(CIFAR10, 'SGD(L)', RESNET18, 11.17),
    'cifar/resnet18_cifar10_sgd_m': Row(CIFAR10, 'SGD(M)', RESNET18, 11.17),
    'cifar/resnet18_cifar10_sgd_e': Row(CIFAR10, 'SGD(E)', RESNET18, 11.17),
    'cifar/resnet50_cifar10': Row(CIFAR10, 'Adam', RESNET50, 23.52),
    'cifar/vgg16_cifar10': Row(CIFAR10, 'Adam', VGG16, 14.73),
    'cifar/resnet34_cifar100': Row(CIFAR100, 'Adam', RESNET34, 21.33),
    'cifar/resnet34_cifar100_adamw': Row(CIFAR100, 'AdamW', RESNET34, 21.33),
    'cifar/resnet34_cifar100_sgd_f': Row(CIFAR100, 'SGD(F)', RESNET34, 21.33),
    'cifar/resnet34_cifar100_sgd_l': Row(CIFAR100, 'SGD(L)', RESNET34, 21.33),
    'cifar/resnet34_cifar100_sgd_m': Row(CIFAR100, 'SGD(M)', RESNET34, 21.33),
    'cifar/resnet34_cifar100_sgd_e': Row(CIFAR100, 'SGD(E)', RESNET34, 21.33),
    'cifar/resnet101_cifar100': Row(CIFAR100, 'Adam', RESNET101, 42.70),
    'cifar/densenet121_cifar100': Row(CIFAR100, 'Adam', DENSENET121, 7.06),
    'imagenet/densenet121_imagenet_adamw': Row(
        IMAGENET, 'AdamW', DENSENET121, 7.98
    ),
    'imagenet/resnet34_imagenet_adamw': Row(
        IMAGENET, 'AdamW', BIG_RESNET34, 21.80
    ),
    'imagenet/resnet101_imagenet_adamw': Row(
        IMAGENET, 'AdamW', BIG_RESNET101, 44.55
    ),
    'imagenet/resnet101_imagenet_sgd_m': Row(
        IMAGENET, 'SGD(M)', BIG_RESNET101, 44.55
    ),
    'imagenet/resnet101_imagenet_sgd_e': Row(
        IMAGENET, 'SGD(E)', BIG_RESNET101, 44.55
    ),
}


def optimiser_of_the_paper(
    name: str, parameters: list
) -> tuple[Optimizer, LRScheduler]:
    """Appendix B.3, as it is written there."""
    if name == 'Adam':
        return fixed(Adam(parameters, lr=0.001))
    if name == 'AdamW':
        return fixed(AdamW(parameters, lr=0.001, weight_decay=0.01))
    lr = 0.001 if name == 'SGD(F)' else 0.1
    sgd = SGD(parameters, lr=lr, momentum=0.9, weight_decay=5e-4)
    if name == 'SGD(L)':
        return sgd, LinearLR(
            sgd, start_factor=1, end_factor=0.01, total_iters=150
        )
    if name == 'SGD(M)':
        return sgd, MultiStepLR(sgd, milestones=[50, 100], gamma=0.1)
    if name == 'SGD(E)':
        return sgd, ExponentialLR(sgd, gamma=0.96)
    return fixed(sgd)


def fixed(optimiser: Optimizer) -> tuple[Optimizer, LRScheduler]:
    return optimiser, ConstantLR(optimiser, factor=1, total_iters=0)


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CONFIGS.parent)


@cache
def read(name: str) -> Config:
    """The config; read once, so to be copied before it is changed."""
    return Config.fromfile(CONFIGS / name)


def twin_of(name: str) -> str:
    return str(Path(name).with_name(f'ies_{Path(name).name}'))


def last_step(config: Config) -> int:
    """The training's end in the loop's own unit, epochs or iterations."""
    if config.train_cfg.type == 'IterBasedTrainLoop':
        return config.train_cfg.max_iters
    return config.train_cfg.max_epochs


# The IES configs have their twins' models: the next test but one.
@pytest.mark.parametrize('name', NAMES)
def test_the_model_takes_a_step(name: str) -> None:
    """An IES one notes a loss for each of the two images meanwhile."""
    config = read(name)
    model = build(config)
    if name in PLAIN:
        assert torch.isfinite(step(model, config))
    else:
        with capture_per_image_losses(model) as captured:
            step(model, config)
        for losses in captured.losses.values():
            assert losses.shape == (2,)
            assert torch.isfinite(losses).all()
    assert any(
        parameter.grad is not None and parameter.grad.abs().sum() > 0
        for parameter in model.backbone.parameters()
    )


def test_every_plain_config_has_its_twin() -> None:
    assert sorted(map(twin_of, PLAIN)) == IES


@pytest.mark.parametrize('name', PLAIN)
def test_the_plain_twin_differs_by_hook_and_sampler_alone(name: str) -> None:
    plain, ies = read(name).to_dict(), read(twin_of(name)).to_dict()
    hook = ies['default_hooks'].pop('ies')
    assert hook['type'] == 'IESHook'
    assert ies['train_dataloader']['sampler'].pop('type') == 'IESSampler'
    sampler = plain['train_dataloader']['sampler']
    assert sampler.pop('type') == PLAIN_SAMPLERS[plain['train_cfg']['type']]
    assert sampler['shuffle'] is True
    # A list replaces its base's: none of the plain run's imports may be lost.
    imports = plain.pop('custom_imports', {}).get('imports', [])
    ours = ies.pop('custom_imports')
    others = [name for name in imports if name != 'ies_mm.engine']
    assert ours['imports'] == [*others, 'ies_mm.engine']
    assert ies == plain


@pytest.mark.parametrize('name', NAMES)
def test_ies_has_the_epochs_to_fire(name: str) -> None:
    config = read(name)
    assert config.train_dataloader.dataset.type != 'RepeatDataset'
    assert passes(config) >= 12


def passes(config: Config) -> float:
    """How often the training goes through its images."""
    if config.train_cfg.type == 'EpochBasedTrainLoop':
        return config.train_cfg.max_epochs
    loader = config.train_dataloader
    leaves = loader.dataset.get('datasets', [loader.dataset])
    images = sum(IMAGES[leaf.ann_file] for leaf in leaves)
    return config.train_cfg.max_iters * loader.batch_size / images


@pytest.mark.parametrize('name', NAMES)
def test_the_schedules_end_with_the_training(name: str) -> None:
    config = read(name)
    end = last_step(config)
    by_epoch = config.train_cfg.type == 'EpochBasedTrainLoop'
    for scheduler in config.param_scheduler:
        # A warm-up, or SGD(L), whose last fifty epochs are at its last rate.
        if scheduler.type == 'LinearLR':
            assert scheduler.by_epoch != by_epoch or scheduler.end <= end
        else:
            assert scheduler.by_epoch == by_epoch
            assert scheduler.get('end', end) == end


def test_the_table_has_every_config_of_the_paper_s_data() -> None:
    types = {row.data.type for row in PAPER.values()}
    configs = {
        name
        for name in PLAIN
        if read(name).train_dataloader.dataset.type in types
    }
    assert configs == {f'{name}.py' for name in PAPER}


@pytest.mark.parametrize('name', PAPER)
def test_a_classifier_s_data_and_length(name: str) -> None:
    data = PAPER[name].data
    config = read(f'{name}.py')
    train, val = config.train_dataloader, config.val_dataloader
    assert (train.dataset.type, train.dataset.split) == (data.type, 'train')
    assert val.dataset.split != 'train'
    assert config.test_dataloader == val
    assert train.batch_size == data.batch
    assert config.train_cfg.max_epochs == data.epochs
    assert config.train_cfg.val_interval == 1
    assert config.val_evaluator.type == 'Accuracy'
    assert config.default_hooks.checkpoint.save_best == 'accuracy/top1'


@pytest.mark.parametrize('name', PAPER)
def test_a_classifier_s_hook(name: str) -> None:
    data = PAPER[name].data
    hook = read(twin_of(f'{name}.py')).default_hooks.ies
    assert hook.delta == data.delta
    assert hook.get('anneal', 0.0) == data.anneal
    assert set(hook) <= {'type', 'delta', 'anneal'}  # the rest by default


@pytest.mark.parametrize('name', PAPER)
def test_a_classifier_s_network(name: str) -> None:
    row = PAPER[name]
    config = read(f'{name}.py')
    model = skeleton(config)
    for key, value in row.backbone.items():
        assert config.model.backbone[key] == value
    assert config.model.head.num_classes == row.data.classes
    assert config.data_preprocessor.num_classes == row.data.classes
    weights = sum(parameter.numel() for parameter in model.parameters())
    assert weights / 1e6 == pytest.approx(row.millions, abs=0.005)
    # "We do not incorporate dropout"
    assert not any('Drop' in type(part).__name__ for part in model.modules())


@pytest.mark.parametrize('name', PAPER)
def test_no_smoothing_no_mixing(name: str) -> None:
    config = read(f'{name}.py')
    loss = config.model.head.loss
    assert loss == dict(type='CrossEntropyLoss', loss_weight=1.0)
    assert not (config.model.get('train_cfg') or {}).get('augments')
    assert 'batch_augments' not in config.data_preprocessor


@pytest.mark.parametrize('name', PAPER)
def test_the_optimiser_is_torch_s(name: str) -> None:
    row = PAPER[name]
    config = read(f'{name}.py')
    model = torch.nn.Linear(1, 1)
    ours = build_optim_wrapper(model, config.optim_wrapper).optimizer
    theirs, scheduler = optimiser_of_the_paper(
        row.optimiser, list(model.parameters())
    )
    assert type(ours) is type(theirs)
    assert ours.defaults == theirs.defaults
    expected = rates(theirs, [scheduler], row.data.epochs)
    found = rates(ours, schedulers(config, ours), row.data.epochs)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def schedulers(config: Config, optimiser: Optimizer) -> list:
    arguments = dict(optimizer=optimiser)
    assert all(scheduler.by_epoch for scheduler in config.param_scheduler)
    return [
        PARAM_SCHEDULERS.build(scheduler, default_args=arguments)
        for scheduler in config.param_scheduler
    ]


def rates(optimiser: Optimizer, schedulers: list, epochs: int) -> list[float]:
    """The learning rate of every epoch."""
    found = []
    for _ in range(epochs):
        found.append(optimiser.param_groups[0]['lr'])
        optimiser.step()
        for scheduler in schedulers:
            scheduler.step()
    return found


@pytest.mark.parametrize('name', PAPER)
def test_a_classifier_s_pipelines(name: str, tmp_path: Path) -> None:
    data = PAPER[name].data
    config = read(f'{name}.py')
    init_default_scope(config.default_scope)
    # The config of DenseNet-121 says why it enlarges the images.
    side = 128 if 'densenet121_cifar' in name else data.side
    for loader in (config.train_dataloader, config.val_dataloader):
        samples = [packed(loader, data, tmp_path) for _ in range(2)]
        batch = FUNCTIONS.get(loader.collate_fn.type)(samples)
        assert batch['inputs'].shape == (2, 3, side, side)
        assert [int(s.gt_label) for s in batch['data_samples']] == [3, 3]


def packed(loader: Config, data: Data, folder: Path) -> dict:
    """A random image, through the pipeline of a data loader's data set."""
    size = (32, 32) if data.side == 32 else (300, 400)
    noise = np.random.default_rng(0).integers(256, size=(*size, 3))
    image = noise.astype(np.uint8)
    path = folder / 'image.png'
    Image.fromarray(image).save(path)
    dataset = DATASETS.build(loader.dataset, default_args={'lazy_init': True})
    return dataset.pipeline(dict(img=image, img_path=str(path), gt_label=3))


def test_the_crops_are_padded_by_four_and_flipped() -> None:
    for name, row in PAPER.items():
        transforms = read(f'{name}.py').train_dataloader.dataset.pipeline
        if row.data.side == 32:
            crop, flip = transforms[:2]
            assert crop == dict(type='RandomCrop', crop_size=32, padding=4)
        else:
            crop, flip = transforms[1:3]
            assert crop == dict(type='RandomResizedCrop', scale=224)
        assert flip == dict(
            type='RandomFlip', prob=0.5, direction='horizontal'
        )


def test_the_paper_s_detector() -> None:
    config = read('ies_faster_rcnn_voc.py')
    assert config.model.backbone.type == 'mmpretrain.VGG'
    assert config.model.backbone.depth == 16
    assert config.train_cfg.max_epochs == 30
    train, test = config.train_dataloader, config.test_dataloader
    assert train.dataset.ann_file == 'VOC2007/ImageSets/Main/trainval.txt'
    assert test.dataset.ann_file == 'VOC2007/ImageSets/Main/test.txt'


def test_the_paper_s_segmentor() -> None:
    config = read('ies_deeplabv3_voc.py')
    assert config.model.backbone.type == 'ResNetV1c'
    assert config.model.backbone.depth == 50
    assert config.model.decode_head.type == 'ASPPHead'
    assert config.model.decode_head.num_classes == 21
    assert config.train_cfg.max_epochs == 50
    assert config.train_dataloader.dataset.type == 'PascalVOCDataset'
    assert 'VOC2012' in config.train_dataloader.dataset.data_root


def test_the_runner_builds_the_demo(voc: Path, tmp_path: Path) -> None:
    config = copy.deepcopy(read('ies_faster_rcnn_r18_demo.py'))
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        config[loader].dataset.data_root = f'{voc}/'
    config.work_dir = str(tmp_path)
    runner = Runner.from_cfg(config)
    assert len(runner.build_dataloader(config.train_dataloader)) == 3
