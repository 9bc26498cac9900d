"""The small scale: minutes on two CPU cores, on images at hand."""

from pathlib import Path
from typing import Any

from paper_experiments.scale import CONFIGS, SWEEP, Scale, fixed_rate


def _small(name: str, setting: str, data: Path | None) -> dict[str, Any]:
    """Shrink network and data: a run takes a minute on two cores."""
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


_OPTIMISERS: dict[str, dict[str, Any]] = dict(
    # The config's own SGD.
    sgd_e=dict(
        param_scheduler=[dict(type='ExponentialLR', gamma=0.87, by_epoch=True)]
    ),
    sgd_f=fixed_rate(type='SGD', lr=0.01, momentum=0.9, weight_decay=5e-4),
    adam=fixed_rate(type='Adam', lr=0.001),
    head=fixed_rate(type='Adam', lr=0.001),
)
"""Settings of the small scale; SGD(E) falls as far as the paper's."""

_SMALL = CONFIGS / 'resnet14_cifar10_2k.py'

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
    factors={0: (1.0, 10.0), 1: (1.0, 10.0), 2: SWEEP, 3: (1.0, 10.0)},
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
