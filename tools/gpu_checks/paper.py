"""The paper's ResNet-18 on CIFAR-10, for as many epochs as fit."""

import json
import math
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from gpu_checks.cifar import ACCURACY, CifarInMemory, decode
from gpu_checks.paper_configs import (
    EPOCHS,
    IES,
    PLAIN,
    ROOT,
    SHORT,
    Setting,
    config_of,
    folder_of,
    pipeline,
)
from gpu_checks.paper_rows import (
    FIRST,
    PLANNED,
    SECOND,
    lines_of,
    rows,
    saved_by,
)
from ies_mm.errors import ConfigError


def run_paper(
    out: Path, device: str, data: Path, end: float, epochs: int | None
) -> None:
    """Decode, plan, train in two waves; write the JSON files on the way.

    Args:
        out (Path): Parent folder of ``paper/``.
        device (str): 'cuda' or 'cpu', which trains at toy size.
        data (Path): Folder or archive of the JPEG files.
        end (float): ``time.time()`` by which everything must be done.
        epochs (int, optional): Epochs of the plain training. Defaults to
            None: as many as fit.
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
        # Two waves, and their start-up.
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
    """Images per second that one process loads, crops and flips."""
    from mmengine.registry import init_default_scope

    init_default_scope('mmpretrain')
    dataset = CifarInMemory(
        str(setting.arrays), images=2000, pipeline=pipeline()
    )
    started = time.perf_counter()
    for number in range(len(dataset)):
        dataset[number]
    return len(dataset) / (time.perf_counter() - started)


def _probe(setting: Setting) -> float:
    """Seconds per epoch on all images, with two trainings at a time."""
    few = 6400
    toy = replace(setting, out=setting.out / 'probe', epochs=3, train=few)
    _side_by_side(toy, [(PLAIN, 0), (IES, 0)])
    lines = [
        lines_of(toy.out / folder_of(name, 0) / ACCURACY)
        for name in (PLAIN, IES)
    ]
    if not all(len(run) == toy.epochs for run in lines):
        raise ConfigError(f'the probe failed, see {toy.out}')
    spent = [run[-1]['seconds'] - run[0]['seconds'] for run in lines]
    # Tests and the work between epochs take a second each.
    return max(spent) / (toy.epochs - 1) * 50000 / few + 2.0


def _side_by_side(setting: Setting, jobs: list[tuple[str, int]]) -> None:
    processes = []
    for name, seed in jobs:
        work_dir = setting.out / folder_of(name, seed)
        work_dir.mkdir(parents=True, exist_ok=True)
        path = work_dir.with_name(f'{work_dir.name}.py')
        epochs = _epochs(setting, name, seed)
        path.write_text(config_of(setting, name, seed, epochs))
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
    """Epochs with the compute of IES; scoring a pruned image costs 1/3."""
    if name != SHORT:
        return setting.epochs
    share = 1 - saved_by(setting.out / folder_of(IES, seed)) * 2 / 3
    return max(1, round(setting.epochs * share))


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1))
