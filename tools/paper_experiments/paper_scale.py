"""The paper's scale (appendices A, B, D and F)."""

from pathlib import Path
from typing import Any

from paper_experiments.scale import CONFIGS, SWEEP, Scale, fixed_rate

_IMAGENET = CONFIGS.with_name('imagenet')
_GROUPS = CONFIGS.with_name('groups')


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
        **fixed_rate(type='Adam', lr=0.001),
    )


_TARGETS = dict(
    cifar10=('CIFAR10', 10),
    cifar100=('CIFAR100', 100),
    caltech101=('Caltech101', 102),
)
"""The datasets that Tables 3, 6 and 7 transfer to: type and classes."""

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
    factors=dict.fromkeys(range(4), SWEEP),
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
