"""The paper's training of ResNet-18 on CIFAR-10, as long as there is time."""

import json
import math
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gpu_checks.cifar import ACCURACY, CifarInMemory, decode
from ies_mm.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/cifar/resnet18_cifar10_sgd_e.py'
EPOCHS = 200
GAMMA = 0.96
"""Of the paper's SGD(E), an epoch."""

IMPORTS = ['gpu_checks.cifar', 'gpu_checks.hooks', 'ies_mm.engine']

PLAIN, IES, RANDOM, SHORT = 'plain', 'IES', 'random removal', 'plain, shorter'
PLANNED = 'planned.json'
FIRST, SECOND = (PLAIN, IES), (RANDOM, SHORT)
"""The second two need to know what IES left out."""


@dataclass(frozen=True)
class Setting:
    """What all trainings share.

    Attributes:
        out (Path): Folder of the work directories.
        arrays (Path): The decoded images.
        device (str): 'cuda' or 'cpu'.
        epochs (int): Of the plain training.
        train (int, optional): Only so many training images; None is all.
        test (int, optional): Only so many test images; None is all.
        workers (int): That load, for each training.
        delta (float): Of IES.
    """

    out: Path
    arrays: Path
    device: str
    epochs: int
    train: int | None = None
    test: int | None = None
    workers: int = 6
    delta: float = 1e-3


def run_paper(
    out: Path, device: str, data: Path, end: float, epochs: int | None
) -> None:
    """Decode, plan, train in two waves; the JSON is written as they go.

    Args:
        out (Path): Where ``paper/`` goes.
        device (str): 'cuda' or 'cpu', which trains at toy size.
        data (Path): Folder or archive of the JPEG files.
        end (float): ``time.time()`` by which all is to be done.
        epochs (int, optional): Of the plain training. Defaults to None: as
            many as fit.
    """
    about: dict[str, Any] = {}
    setting = Setting(
        out / 'paper', (out / 'cifar10').resolve(), device, epochs or 2
    )
    if device == 'cpu':
        setting = replace(
            setting, epochs=epochs or 8, train=256, test=100, workers=0
        )
        setting = replace(setting, delta=0.2)
    started = time.perf_counter()
    if not (setting.arrays / 'test_labels.npy').exists():
        decode(data, setting.arrays)
    about['decode_seconds'] = time.perf_counter() - started
    about['loader_images_per_second'] = loader_speed(setting)
    _write(setting.out / 'about.json', about)
    seeds = [0]
    if epochs is None and device != 'cpu':
        seconds = _probe(setting)
        # Two waves, and their start.
        left = (end - time.time() - 50) / 2
        about |= dict(epoch_seconds=seconds)
        number = max(8, min(EPOCHS, math.floor(left / seconds)))
        setting = replace(setting, epochs=number)
    about |= dict(epochs=setting.epochs, seeds=seeds, delta=setting.delta)
    _write(setting.out / 'about.json', about)
    for wave in (FIRST, SECOND):
        jobs = [(name, seed) for seed in seeds for name in wave]
        _side_by_side(setting, jobs)
        _write(setting.out / 'runs.json', rows(setting.out))
    print(json.dumps(rows(setting.out)), flush=True)


def loader_speed(setting: Setting) -> float:
    """Images a second that one process loads, crops and flips."""
    from mmengine.registry import init_default_scope

    init_default_scope('mmpretrain')
    dataset = CifarInMemory(
        str(setting.arrays), images=2000, pipeline=_pipeline()
    )
    started = time.perf_counter()
    for number in range(len(dataset)):
        dataset[number]
    return len(dataset) / (time.perf_counter() - started)


def _pipeline() -> list[dict[str, Any]]:
    return [
        dict(type='RandomCrop', crop_size=32, padding=4),
        dict(type='RandomFlip', prob=0.5, direction='horizontal'),
        dict(type='PackInputs'),
    ]


def _probe(setting: Setting) -> float:
    """Seconds of an epoch of all images, two trainings at a time."""
    few = 6400
    toy = replace(setting, out=setting.out / 'probe', epochs=3, train=few)
    _side_by_side(toy, [(PLAIN, 0), (IES, 0)])
    lines = [
        _lines(toy.out / _folder(name, 0) / ACCURACY) for name in (PLAIN, IES)
    ]
    if not all(len(run) == toy.epochs for run in lines):
        raise ConfigError(f'the probe failed, see {toy.out}')
    spent = [run[-1]['seconds'] - run[0]['seconds'] for run in lines]
    # Tests and the work between epochs: a second each.
    return max(spent) / (toy.epochs - 1) * 50000 / few + 2.0


def _side_by_side(setting: Setting, jobs: list[tuple[str, int]]) -> None:
    processes = []
    for name, seed in jobs:
        work_dir = setting.out / _folder(name, seed)
        work_dir.mkdir(parents=True, exist_ok=True)
        path = work_dir.with_name(f'{work_dir.name}.py')
        epochs = _epochs(setting, name, seed)
        path.write_text(_config(setting, name, seed, epochs))
        _write(work_dir / PLANNED, epochs)
        train = str(ROOT / 'tools' / 'train.py')
        command = [sys.executable, train, str(path)]
        command += ['--work-dir', str(work_dir)]
        with (work_dir / 'train.log').open('w') as log:
            processes.append(
                subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
            )
    for process in processes:
        process.wait()


def _epochs(setting: Setting, name: str, seed: int) -> int:
    """With the compute that IES took, where training is two parts of three."""
    if name != SHORT:
        return setting.epochs
    share = 1 - _saved(setting.out / _folder(IES, seed)) * 2 / 3
    return max(1, round(setting.epochs * share))


def _config(setting: Setting, name: str, seed: int, epochs: int) -> str:
    """A child of the paper's config."""
    ies = setting.out / _folder(IES, seed)
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
            pipeline=_pipeline(),
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
        # Else cuDNN searches anew in every epoch with exclusions, whose last
        # batch has a size of its own.
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


def rows(out: Path) -> list[dict[str, Any]]:
    """What every training reached so far."""
    found = []
    for name in (*FIRST, *SECOND):
        for work_dir in sorted(out.glob(f'{_folder(name, "[0-9]")}')):
            lines = _lines(work_dir / ACCURACY)
            if not lines:
                continue
            saved = _saved(work_dir)
            row: dict[str, Any] = dict(name=name)
            row |= dict(seed=int(work_dir.name.split('_')[-1]))
            row |= dict(epochs=len(lines), saved=saved)
            row |= dict(planned=json.loads((work_dir / PLANNED).read_text()))
            for key in ('clean', 'augmented'):
                row[key] = lines[-1][key]
                row[f'{key}_best'] = max(line[key] for line in lines)
            row |= dict(seconds=lines[-1]['seconds'])
            found.append(row)
    plain = {row['seed']: row for row in found if row['name'] == PLAIN}
    for row in found:
        # Not of one that was cut off, or of a plain one that was.
        whole = (row, plain.get(row['seed'], row))
        if all(one['epochs'] == one['planned'] for one in whole):
            row['speed_up'] = whole[1]['seconds'] / row['seconds']
        row['limit'] = 1 / (1 - row['saved'] * 2 / 3)
    return found


def _folder(name: str, seed: Any) -> str:
    return f'{name.replace(", ", "_").replace(" ", "_")}_{seed}'


def _saved(work_dir: Path) -> float:
    records = _lines(work_dir / 'ies' / 'epochs.jsonl')
    return float(records[-1]['saved']) if records else 0.0


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1))
