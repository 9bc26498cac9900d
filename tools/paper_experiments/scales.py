"""The two scales of every experiment: the paper's, and a small one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'cifar'
_IMAGENET = CONFIGS.with_name('imagenet')
_GROUPS = CONFIGS.with_name('groups')


@dataclass(frozen=True)
class Scale:
    """Settings that all experiments of a scale share.

    Attributes:
        name (str): ``'small'`` or ``'paper'``.
        configs (dict): (dataset, setting) -> the plain config.
        changes (callable): (dataset, setting, folder of the images) ->
            changes to the config.
        of_figure_4 (dict): Changes made in appendix B.5.
        delta (float): Delta of order 2, in the settings of appendix A.
        delta_of_figure_4 (float): Delta of all orders, in those of B.5.
        deltas (dict): Order -> the middle of Figure 5's sweep.
        factors (dict): Order -> factors of its delta in that sweep.
        ratios (tuple): Ratios of the methods that have one, in Figure 5.
        infobatch (tuple): Ratios of InfoBatch in Figure 7.
        data_sets (tuple): Datasets of Figures 5 and 7.
        dynamics (dict): Arguments of TrainingDynamicsHook.
        epochs (int): Epochs of a training by appendix A.
        lengths (dict): Dataset -> its epochs, where they differ.
        columns (tuple): Columns of Table 1, (dataset, setting).
        sources (tuple): Pretrainings of Tables 3, 6 and 7, (dataset, setting).
        targets (tuple): Datasets they are transferred to.
        pretrained (int): Epoch of the checkpoint that is transferred.
        pretrained_once (bool): Whether one pretraining serves all seeds.
        device (str): The device of ``epoch_seconds``.
        epoch_seconds (dict): Dataset -> seconds per epoch, on a CPU core of
            its own, or on a GPU next to another training.
        needs (dict): Dataset -> what must be available.
        costs (dict): Network -> its cost relative to the dataset's usual one.
        seeds (dict): Experiment -> number of seeds; one for the others.
        about (str): Description in one sentence.
    """

    name: str
    configs: Mapping[tuple[str, str], Path]
    changes: Callable[[str, str, Path | None], dict[str, Any]]
    of_figure_4: Mapping[str, Any]
    delta: float
    delta_of_figure_4: float
    deltas: Mapping[int, float]
    factors: Mapping[int, tuple[float, ...]]
    ratios: tuple[float, ...]
    infobatch: tuple[float, ...]
    data_sets: tuple[str, ...]
    dynamics: Mapping[str, int]
    epochs: int
    columns: tuple[tuple[str, str], ...]
    sources: tuple[tuple[str, str], ...]
    targets: tuple[str, ...]
    pretrained: int
    pretrained_once: bool
    device: str
    epoch_seconds: Mapping[str, float]
    needs: Mapping[str, str]
    about: str
    seeds: Mapping[str, int] = field(default_factory=dict)
    lengths: Mapping[str, int] = field(default_factory=dict)
    costs: Mapping[str, float] = field(default_factory=dict)

    def length(self, data: str, of_figure_4: bool) -> int:
        """Number of epochs of a training."""
        if of_figure_4 and self.has_two_settings:
            return 150
        return self.lengths.get(data, self.epochs)

    @property
    def has_two_settings(self) -> bool:
        """Whether the settings of B.5 differ from those of A."""
        return bool(self.of_figure_4)


def _small(name: str, setting: str, data: Path | None) -> dict[str, Any]:
    """Shrink the network and data to a training of a minute on two cores."""
    assert data is not None
    root = data / name if name in _OTHER_CLASSES else data
    pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
    loader = dict(num_workers=0, persistent_workers=False)
    changes: dict[str, Any] = dict(
        # A quarter of the cost: the first stage also halves the images.
        model=dict(backbone=dict(strides=(2, 2, 2))),
        train_dataloader=dict(
            batch_size=32,
            **loader,
            dataset=dict(data_root=str(root / 'train'), pipeline=pipeline),
        ),
        val_dataloader=dict(
            **loader, dataset=dict(data_root=str(root / 'test'))
        ),
        train_cfg=dict(max_epochs=SMALL.epochs, val_interval=3),
        default_hooks=dict(checkpoint=dict(interval=3)),
        **_OPTIMISERS[setting],
    )
    if name in _OTHER_CLASSES:
        changes = _with_classes(changes, _OTHER_CLASSES[name])
    if name == 'groups':
        changes |= _by_group(root)
    return changes


_OTHER_CLASSES = dict(groups=2, five=5, others=5, digits=10)
"""Folders of other classes than CIFAR-10's, and their number."""


def _with_classes(changes: dict[str, Any], classes: int) -> dict[str, Any]:
    backbone = changes['model']['backbone']
    head = dict(num_classes=classes, topk=(1,))
    model = dict(backbone=backbone, head=head)
    return changes | dict(
        model=model,
        data_preprocessor=dict(num_classes=classes),
        val_evaluator=dict(type='Accuracy', topk=(1,)),
    )


def _by_group(root: Path) -> dict[str, Any]:
    """Evaluate the two classes by group."""
    file = str(root / 'groups.csv')
    groups = dict(type='GroupMetric', groups=file, positive=0)
    return dict(
        val_evaluator=[dict(type='Accuracy', topk=(1,)), groups],
        custom_imports=dict(
            imports=['ies_mm.engine'], allow_failed_imports=False
        ),
    )


def _optimiser(**optimiser: Any) -> dict[str, Any]:
    """An optimiser with a fixed learning rate."""
    wrapper = dict(_delete_=True, type='OptimWrapper', optimizer=optimiser)
    return dict(optim_wrapper=wrapper, param_scheduler=[])


_OPTIMISERS: dict[str, dict[str, Any]] = dict(
    # The config's own SGD.
    sgd_e=dict(
        param_scheduler=[dict(type='ExponentialLR', gamma=0.87, by_epoch=True)]
    ),
    sgd_f=_optimiser(type='SGD', lr=0.01, momentum=0.9, weight_decay=5e-4),
    adam=_optimiser(type='Adam', lr=0.001),
    head=_optimiser(type='Adam', lr=0.001),
)
"""Settings of the small scale; SGD(E) falls as far as the paper's."""


def _paper(name: str, setting: str, data: Path | None) -> dict[str, Any]:
    """Change only the data folder; it has a subfolder for each dataset."""
    if setting.endswith('_head'):
        return _fine_tuning(name, data or Path('data'))
    if data is None:
        return {}
    root = dict(dataset=dict(data_root=str(data / name)))
    return dict(train_dataloader=root, val_dataloader=root)


def _fine_tuning(name: str, data: Path) -> dict[str, Any]:
    """Appendix B.4: 224 pixels, no augmentation, Adam."""
    kind, classes = _TARGETS[name]
    is_cifar = name.startswith('cifar')
    # CIFAR's images are in memory.
    load = [] if is_cifar else [dict(type='LoadImageFromFile')]
    pipeline = [*load, dict(type='Resize', scale=(224, 224))]
    pipeline.append(dict(type='PackInputs'))
    train, val = (
        dict(
            batch_size=64,
            dataset=dict(
                _delete_=True,
                type=kind,
                data_root=str(data / name),
                split=split,
                pipeline=pipeline,
            ),
        )
        for split in ('train', 'test')
    )
    return dict(
        model=dict(head=dict(num_classes=classes)),
        data_preprocessor=dict(num_classes=classes, to_rgb=not is_cifar),
        train_dataloader=train,
        val_dataloader=val,
        **_optimiser(type='Adam', lr=0.001),
    )


_TARGETS = dict(
    cifar10=('CIFAR10', 10),
    cifar100=('CIFAR100', 100),
    caltech101=('Caltech101', 102),
)
"""The datasets that Tables 3, 6 and 7 transfer to: type and classes."""

_SMALL = CONFIGS / 'resnet14_cifar10_2k.py'
_SWEEP = (0.01, 0.1, 1.0, 10.0, 100.0)

SMALL = Scale(
    name='small',
    about='ResNet-14 whose first stage halves the images, 1000 images of '
    'CIFAR-10 without augmentation, batch 32, 30 epochs, SGD(E) with a factor '
    'of 0.87 instead of 0.96',
    configs={
        **{('cifar10', setting): _SMALL for setting in _OPTIMISERS},
        ('groups', 'adam'): _SMALL,
        ('five', 'sgd_e'): _SMALL,
        ('others', 'head'): _SMALL,
        ('digits', 'head'): _SMALL,
    },
    changes=_small,
    of_figure_4={},
    delta=0.1,
    delta_of_figure_4=0.1,
    deltas={0: 0.1, 1: 0.1, 2: 0.1, 3: 0.3},
    factors={0: (1.0, 10.0), 1: (1.0, 10.0), 2: _SWEEP, 3: (1.0, 10.0)},
    ratios=(0.2, 0.5),
    infobatch=(0.5,),
    data_sets=('cifar10',),
    dynamics=dict(interval=3, images=128),
    epochs=30,
    columns=(('cifar10', 'adam'), ('cifar10', 'sgd_f'), ('cifar10', 'sgd_e')),
    sources=(('five', 'sgd_e'),),
    targets=('others', 'digits'),
    pretrained=30,
    pretrained_once=False,
    device='two CPU cores',
    epoch_seconds=dict(cifar10=1.6, groups=1.6, five=0.8, others=5, digits=6),
    needs=dict.fromkeys(
        ('cifar10', *_OTHER_CLASSES), 'CIFAR-10 as JPEG files, --data'
    ),
    seeds=dict(
        **dict.fromkeys(('table3', 'table6', 'table7'), 5),
        table1=3,
        table4=3,
        table8=3,
        table9=3,
        table11=3,
        table14=3,
    ),
)

PAPER = Scale(
    name='paper',
    about='ResNet-18 on CIFAR-10, ResNet-34 on CIFAR-100, ResNet-101 on '
    'ImageNet, appendices A, B and D',
    configs={
        ('cifar10', 'adam'): CONFIGS / 'resnet18_cifar10.py',
        ('cifar10', 'resnet50_adam'): CONFIGS / 'resnet50_cifar10.py',
        ('cifar10', 'vgg16_adam'): CONFIGS / 'vgg16_cifar10.py',
        ('cifar10', 'sgd_f'): CONFIGS / 'resnet18_cifar10_sgd_f.py',
        ('cifar10', 'sgd_l'): CONFIGS / 'resnet18_cifar10_sgd_l.py',
        ('cifar10', 'adamw'): CONFIGS / 'resnet18_cifar10_adamw.py',
        ('cifar10', 'sgd_e'): CONFIGS / 'resnet18_cifar10_sgd_e.py',
        ('cifar100', 'adam'): CONFIGS / 'resnet34_cifar100.py',
        ('cifar100', 'resnet101_adam'): CONFIGS / 'resnet101_cifar100.py',
        ('cifar100', 'densenet121_adam'): CONFIGS / 'densenet121_cifar100.py',
        ('cifar100', 'sgd_f'): CONFIGS / 'resnet34_cifar100_sgd_f.py',
        ('cifar100', 'sgd_e'): CONFIGS / 'resnet34_cifar100_sgd_e.py',
        ('cifar100', 'adamw'): CONFIGS / 'resnet34_cifar100_adamw.py',
        **{
            ('imagenet', setting): _IMAGENET / f'{network}_imagenet_{rate}.py'
            for setting, network, rate in (
                ('densenet121_adamw', 'densenet121', 'adamw'),
                ('resnet34_adamw', 'resnet34', 'adamw'),
                ('resnet101_adamw', 'resnet101', 'adamw'),
                ('resnet101_sgd_m', 'resnet101', 'sgd_m'),
                ('sgd_e', 'resnet101', 'sgd_e'),
            )
        },
        **{
            (target, f'{network}_head'): _IMAGENET
            / f'{network}_imagenet_adamw.py'
            for target in ('cifar10', 'cifar100', 'caltech101')
            for network in ('resnet101', 'densenet121')
        },
        ('groups', 'adam'): _GROUPS / 'resnet18_celeba.py',
        ('voc07', 'sgd_m'): CONFIGS.parent / 'faster_rcnn_voc.py',
        ('voc12', 'poly'): CONFIGS.parent / 'deeplabv3_voc.py',
        ('voc12', 'aug_poly'): CONFIGS.parent / 'deeplabv3_voc12aug.py',
    },
    changes=_paper,
    of_figure_4=dict(
        train_dataloader=dict(batch_size=128), train_cfg=dict(max_epochs=150)
    ),
    delta=1e-3,
    delta_of_figure_4=1e-4,
    deltas=dict.fromkeys(range(4), 1e-3),
    factors=dict.fromkeys(range(4), _SWEEP),
    ratios=(0.1, 0.2, 0.3, 0.4, 0.5),
    infobatch=(0.3, 0.5, 0.7, 0.9),
    data_sets=('cifar10', 'cifar100'),
    dynamics=dict(interval=5, images=1024),
    epochs=200,
    lengths=dict(imagenet=150, groups=30, voc07=30, voc12=50),
    columns=(
        ('cifar10', 'adam'),
        ('cifar10', 'resnet50_adam'),
        ('cifar10', 'vgg16_adam'),
        ('cifar100', 'adam'),
        ('cifar100', 'resnet101_adam'),
        ('cifar100', 'densenet121_adam'),
        ('cifar10', 'sgd_f'),
        ('cifar10', 'sgd_l'),
        ('cifar10', 'adamw'),
        ('cifar100', 'sgd_f'),
        ('cifar100', 'sgd_e'),
        ('cifar100', 'adamw'),
    ),
    sources=(
        ('imagenet', 'resnet101_adamw'),
        ('imagenet', 'densenet121_adamw'),
    ),
    targets=('cifar10', 'cifar100', 'caltech101'),
    pretrained=100,
    pretrained_once=True,
    device='an H200',
    # The first is from docs/gpu.md, on an H200; the others are estimates.
    epoch_seconds=dict(
        **dict(cifar10=11, cifar100=22, caltech101=20, imagenet=1200),
        **dict(groups=60, voc07=300, voc12=90),
    ),
    costs=dict(vgg16=0.6, resnet50=2.3, densenet121=2, resnet101=2),
    needs=dict(
        cifar10='CIFAR-10 (mmpretrain downloads 170 MB)',
        cifar100='CIFAR-100 (mmpretrain downloads 170 MB)',
        imagenet='ImageNet-1k in data/imagenet (150 GB, manual download)',
        caltech101='Caltech-101 in data/caltech101 (130 MB, downloaded)',
        groups='CelebA in data/celeba (1.4 GB, torchvision downloads it)',
        voc07='VOC2007 (tools/get_voc.py) and ImageNet weights of VGG-16',
        voc12='VOC2012 (tools/get_voc.py) and ImageNet weights of ResNet-50',
    ),
    seeds=dict(
        **dict(figure4=5, figure5=3, figure7=3),
        **dict(table1=5, table3=5, table6=5, table7=5),
        **dict(table4=3, table5=3, table8=3),
    ),
)

SCALES = {scale.name: scale for scale in (SMALL, PAPER)}
