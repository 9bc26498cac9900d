"""The paper's training and its controls, as configs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/cifar/resnet18_cifar10_sgd_e.py'
EPOCHS = 200

GAMMA = 0.96
"""Learning-rate decay per epoch in the paper's SGD(E)."""

IMPORTS = ['gpu_checks.cifar', 'gpu_checks.hooks', 'ies_mm.engine']
PLAIN, IES, RANDOM, SHORT = 'plain', 'IES', 'random pruning', 'short plain'


@dataclass(frozen=True)
class Setting:
    """The common settings of all trainings.

    Attributes:
        out (Path): Folder of the work directories.
        arrays (Path): Folder of the decoded images.
        device (str): 'cuda' or 'cpu'.
        epochs (int): Epochs of the plain training.
        train (int, optional): Number of training images; None for all.
        test (int, optional): Number of test images; None for all.
        workers (int): Loader processes of each training.
        delta (float): Threshold of IES.
    """

    out: Path
    arrays: Path
    device: str
    epochs: int
    train: int | None = None
    test: int | None = None
    workers: int = 6
    delta: float = 1e-3


def config_of(setting: Setting, name: str, seed: int, epochs: int) -> str:
    """The text of a config that inherits from the paper's."""
    ies = setting.out / folder_of(IES, seed)
    hooks: dict[str, Any] = dict(
        test=dict(
            type='TestAccuracyHook',
            folder=str(setting.arrays),
            images=setting.test,
        ),
        checkpoint=dict(save_best=None, interval=10**6, save_last=False),
        logger=dict(interval=100),
    )
    sampler = 'IESSampler'
    if name == IES:
        hooks['ies'] = dict(type='IESHook', delta=setting.delta)
    elif name == RANDOM:
        hooks['ies'] = dict(type='RemoveAsManyHook', run=str(ies))
    else:
        sampler = 'DefaultSampler'
    workers = setting.workers
    loader = dict(
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=setting.device == 'cuda',
        sampler=dict(type=sampler, shuffle=True),
        dataset=dict(
            _delete_=True,
            type='CifarInMemory',
            folder=str(setting.arrays),
            images=setting.train,
            pipeline=pipeline(),
        ),
    )
    gamma = GAMMA ** (EPOCHS / epochs)
    wrapper: dict[str, Any] = {}
    if setting.device == 'cuda':
        hooks['layout'] = dict(type='ChannelsLastHook')
        wrapper = dict(type='AmpOptimWrapper', loss_scale='dynamic')
    lines: dict[str, Any] = dict(
        _base_=str(CONFIG),
        custom_imports=dict(imports=IMPORTS),
        default_hooks=hooks,
        train_dataloader=loader,
        optim_wrapper=wrapper,
        train_cfg=dict(max_epochs=epochs),
        param_scheduler=[
            dict(type='ExponentialLR', by_epoch=True, gamma=gamma)
        ],
        randomness=dict(seed=seed),
        # Otherwise cuDNN searches again in every epoch with exclusions, since
        # its last batch has a different size.
        env_cfg=dict(cudnn_benchmark=False),
    )
    lines |= dict.fromkeys(
        ('val_dataloader', 'val_cfg', 'val_evaluator',
         'test_dataloader', 'test_cfg', 'test_evaluator')
    )  # fmt: skip
    if setting.device == 'cpu':
        lines['model'] = dict(backbone=dict(base_channels=8, stem_channels=8))
        lines['model'] |= dict(head=dict(in_channels=64))
    return '\n'.join(f'{key} = {value!r}' for key, value in lines.items())


def pipeline() -> list[dict[str, Any]]:
    """The pipeline of the training images."""
    return [
        dict(type='RandomCrop', crop_size=32, padding=4),
        dict(type='RandomFlip', prob=0.5, direction='horizontal'),
        dict(type='PackInputs'),
    ]


def folder_of(name: str, seed: Any) -> str:
    """Name of a training run's work directory."""
    return f'{name.replace(", ", "_").replace(" ", "_")}_{seed}'
