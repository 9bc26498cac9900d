"""The two scales of every experiment: the paper's, and a small one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'cifar'
_IMAGENET = CONFIGS.with_name('imagenet') / 'resnet101_imagenet_sgd_e.py'


@dataclass(frozen=True)
class Scale:
    """Settings that all experiments of a scale share.

    Attributes:
        name (str): ``'small'`` or ``'paper'``.
        configs (dict): (dataset, optimiser) -> the plain config.
        changes (callable): (dataset, optimiser, folder of the images) ->
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
        device (str): The device of ``epoch_seconds``.
        epoch_seconds (dict): Dataset -> seconds per epoch, on a CPU core of
            its own, or on a GPU next to another training.
        needs (dict): Dataset -> what must be available.
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
    device: str
    epoch_seconds: Mapping[str, float]
    needs: Mapping[str, str]
    about: str
    seeds: Mapping[str, int] = field(default_factory=dict)

    def length(self, data: str, of_figure_4: bool) -> int:
        """Number of epochs of a training."""
        shorter = self.has_two_settings and of_figure_4
        return 150 if shorter or data == 'imagenet' else self.epochs

    @property
    def has_two_settings(self) -> bool:
        """Whether the settings of B.5 differ from those of A."""
        return bool(self.of_figure_4)


def _small(name: str, optimiser: str, data: Path | None) -> dict[str, Any]:
    """Shrink the network and data to a training of a minute on two cores."""
    assert data is not None
    pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
    loader = dict(num_workers=0, persistent_workers=False)
    changes: dict[str, Any] = dict(
        # A quarter of the cost: the first stage also halves the images.
        model=dict(backbone=dict(strides=(2, 2, 2))),
        train_dataloader=dict(
            batch_size=32,
            **loader,
            dataset=dict(data_root=str(data / 'train'), pipeline=pipeline),
        ),
        val_dataloader=dict(
            **loader, dataset=dict(data_root=str(data / 'test'))
        ),
        train_cfg=dict(max_epochs=SMALL.epochs, val_interval=3),
        default_hooks=dict(checkpoint=dict(interval=3)),
    )
    if optimiser == 'adam':
        adam = dict(type='Adam', lr=0.001)
        changes['optim_wrapper'] = dict(
            _delete_=True, type='OptimWrapper', optimizer=adam
        )
        changes['param_scheduler'] = []
    else:
        rate = dict(type='ExponentialLR', gamma=0.87, by_epoch=True)
        changes['param_scheduler'] = [rate]
    return changes


def _paper(name: str, optimiser: str, data: Path | None) -> dict[str, Any]:
    """Change only the data folder; it has a subfolder for each dataset."""
    if data is None:
        return {}
    root = dict(dataset=dict(data_root=str(data / name)))
    return dict(train_dataloader=root, val_dataloader=root)


_SMALL = CONFIGS / 'resnet14_cifar10_2k.py'
_SWEEP = (0.01, 0.1, 1.0, 10.0, 100.0)

SMALL = Scale(
    name='small',
    about='ResNet-14 whose first stage halves the images, 1000 images of '
    'CIFAR-10 without augmentation, batch 32, 30 epochs, SGD(E) with a factor '
    'of 0.87 instead of 0.96',
    configs={('cifar10', 'sgd_e'): _SMALL, ('cifar10', 'adam'): _SMALL},
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
    device='two CPU cores',
    epoch_seconds=dict(cifar10=1.6),
    needs=dict(cifar10='CIFAR-10 as JPEG files, --data'),
)

PAPER = Scale(
    name='paper',
    about='ResNet-18 on CIFAR-10, ResNet-34 on CIFAR-100, ResNet-101 on '
    'ImageNet, appendices A, B and D',
    configs={
        ('cifar10', 'sgd_e'): CONFIGS / 'resnet18_cifar10_sgd_e.py',
        ('cifar10', 'adam'): CONFIGS / 'resnet18_cifar10.py',
        ('cifar100', 'sgd_e'): CONFIGS / 'resnet34_cifar100_sgd_e.py',
        ('imagenet', 'sgd_e'): _IMAGENET,
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
    device='an H200',
    # The first is from docs/gpu.md, on an H200; the others are estimates.
    epoch_seconds=dict(cifar10=11, cifar100=22, imagenet=1200),
    needs=dict(
        cifar10='CIFAR-10 (mmpretrain downloads 170 MB)',
        cifar100='CIFAR-100 (mmpretrain downloads 170 MB)',
        imagenet='ImageNet-1k in data/imagenet (150 GB, manual download)',
    ),
    seeds=dict(figure4=5, figure5=3, figure7=3),
)

SCALES = {scale.name: scale for scale in (SMALL, PAPER)}
