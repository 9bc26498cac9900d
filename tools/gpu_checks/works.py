"""Short trainings on this device: do they end, and do they prune?"""

import itertools
import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from gpu_checks.tasks import TASKS, config_of, make_task_data

EPOCHS = 8
TOOLS = Path(__file__).resolve().parents[1]
TRAIN = TOOLS / 'train.py'
METHODS = ('ies', 'infobatch', 'soft_ies')
PRECISIONS = ('float32', 'float16', 'bfloat16')
SETTINGS = ('compiled', 'channels_last', 'accumulation', 'scored by 16')
ENVIRONMENT = {'OMP_NUM_THREADS': '1', 'CUBLAS_WORKSPACE_CONFIG': ':4096:8'}
WHY = 300
"""Characters of an error that are kept."""

Found = dict[str, Any]


@dataclass(frozen=True)
class Works:
    """Where to train.

    Attributes:
        out (Path): Folder of ``works/`` and ``trainings/``.
        device (str): 'cuda' or 'cpu'.
    """

    out: Path
    device: str

    @property
    def data(self) -> Path:
        """What is trained on."""
        return self.out / 'data'

    def folder(self, name: str) -> Path:
        """A work directory."""
        return self.out / 'trainings' / name.replace(' ', '_')


def run_trainings(out: Path, device: str, rehearse: bool) -> None:
    """Run every check side by side; write ``works/NAME.json`` for each."""
    make_task_data(out / 'data', 12 if rehearse else 96)
    (out / 'works').mkdir(parents=True, exist_ok=True)
    jobs = checks(Works(out, device), rehearse)
    beside = 2 if rehearse else min(14, os.cpu_count() or 1)
    with ThreadPoolExecutor(beside) as pool:
        running = [pool.submit(_found, *job) for job in jobs.items()]
        for future in as_completed(running):
            found = future.result()
            name = found['check'].replace(' ', '_').replace('/', '-')
            path = out / 'works' / f'{name}.json'
            path.write_text(json.dumps(found, indent=1))
            print(json.dumps(found), flush=True)


def checks(works: Works, rehearse: bool) -> dict[str, Callable[[], Found]]:
    """All checks by name, the most telling first."""
    found: dict[str, Callable[[], Found]] = {}
    found['losses on both devices'] = partial(_agree, works, rehearse)
    # What takes longest comes first.
    found['classifier resumed'] = partial(_resumed, works)
    found['classifier two processes'] = partial(_two_processes, works)
    for task in TASKS:
        found[f'{task} off is plain'] = partial(_off_is_plain, works, task)
    for mode, method, task in itertools.product(
        (*SETTINGS, *PRECISIONS), METHODS, TASKS
    ):
        if mode in PRECISIONS or method == 'ies':
            name = f'{task} {method} {mode}'
            found[name] = partial(_trained, works, name, task, method, mode)
    if rehearse:
        kept = ('classifier ies float32', 'classifier two processes')
        return {name: found[name] for name in kept}
    return found


def _found(name: str, check: Callable[[], Found]) -> Found:
    started = time.perf_counter()
    try:
        found = check()
    except Exception as error:  # the other checks go on
        why = f'{type(error).__name__}: {error}'
        found = dict(passed=False, why=why[:WHY])
    found['seconds'] = round(time.perf_counter() - started, 1)
    return dict(check=name) | found


def _trained(
    works: Works, name: str, task: str, method: str, mode: str
) -> Found:
    failed = _train(
        works, name, config_of(works.data, task, method, mode, EPOCHS)
    )
    if failed and _train(
        works, f'{name} plain', config_of(works.data, task, 'plain', mode, 1)
    ):
        failed['why'] = f'nor does a plain training: {failed["why"]}'
    return failed or _verdict(works.folder(name))


def _train(
    works: Works, name: str, config: str, *options: str, **more: str
) -> Found | None:
    """Train in a process; what went wrong, if anything did."""
    work_dir = works.folder(name)
    command = _command(work_dir, config, *options)
    environment = dict(os.environ) | ENVIRONMENT | more
    log = work_dir / 'train.log'
    with log.open('w') as file:
        code = subprocess.call(
            command, stdout=file, stderr=subprocess.STDOUT, env=environment
        )
    return _failed(log) if code else None


def _command(work_dir: Path, config: str, *options: str) -> list[str]:
    if '--resume' not in options:
        shutil.rmtree(work_dir, ignore_errors=True)
    work_dir.mkdir(parents=True, exist_ok=True)
    path = work_dir.with_name(f'{work_dir.name}.py')
    path.write_text(config)
    command = [sys.executable, TRAIN, path, '--work-dir', work_dir, *options]
    return list(map(str, command))


def _failed(log: Path) -> Found:
    lines = [line for line in log.read_text().splitlines() if line.strip()]
    errors = [line for line in lines if 'Error' in line] or lines[-1:]
    return dict(passed=False, why=' '.join(errors[-1:])[:WHY])


def _records(work_dir: Path) -> list[Found]:
    path = work_dir / 'ies' / 'epochs.jsonl'
    return [json.loads(line) for line in path.read_text().splitlines()]


def _verdict(work_dir: Path) -> Found:
    records = _records(work_dir)
    pruned = max(record['excluded'] for record in records)
    sums = [_sum(record) for record in records]
    finite = all(map(math.isfinite, sums))
    found: Found = dict(epochs=len(records), pruned=pruned)
    found |= dict(saved=records[-1]['saved'], loss=[sums[0], sums[-1]])
    problems = [
        text
        for text, wrong in (
            (f'{len(records)} epochs', len(records) != EPOCHS),
            ('nothing was left out', pruned == 0),
            ('a loss is not finite', not finite),
        )
        if wrong
    ]
    return found | dict(passed=not problems, why='; '.join(problems))


def _sum(record: Found) -> float:
    values = [math.nan if v is None else v for v in record['loss'].values()]
    return float(sum(values))


def _agree(works: Works, rehearse: bool) -> Found:
    path = works.out / 'agree.json'
    log = works.out / 'agree.log'
    command = [sys.executable, '-m', 'gpu_checks.agree', works.device]
    with log.open('w') as file:
        code = subprocess.call(
            [*command, str(path.resolve())],
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=TOOLS,
        )
    if code:
        return _failed(log)
    models = json.loads(path.read_text())
    wrong = [f'{k}: {v["why"]}' for k, v in models.items() if v['why']]
    return dict(
        passed=not wrong, why='; '.join(wrong)[: 4 * WHY], models=models
    )


def _off_is_plain(works: Works, task: str) -> Found:
    """As near to a plain run as a second plain run is."""
    runs = {}
    for run in ('plain', 'again', 'off'):
        name = f'{task} {run}'
        method = 'off' if run == 'off' else 'plain'
        failed = _train(
            works, name, config_of(works.data, task, method, 'exact', 3)
        )
        if failed:
            return failed
        runs[run] = _weights(works.folder(name) / 'epoch_3.pth')
    return _compared(runs)


def _compared(runs: dict[str, dict[str, Any]]) -> Found:
    first, again, other = runs.values()
    mine, noise = _distance(first, other), _distance(first, again)
    passed = mine <= 2 * noise
    why = '' if passed else f'{mine:.2e} from it, a repetition {noise:.2e}'
    return dict(passed=passed, why=why, distance=mine, repetition=noise)


def _weights(path: Path) -> dict[str, Any]:
    loaded = torch.load(path, map_location='cpu', weights_only=False)
    weights: dict[str, Any] = loaded['state_dict']
    return weights


def _distance(one: dict[str, Any], other: dict[str, Any]) -> float:
    """The norm of the difference over the norm, of all weights."""
    apart = sum(float((one[k] - other[k]).double().norm() ** 2) for k in one)
    size = sum(float(one[k].double().norm() ** 2) for k in one)
    return math.sqrt(apart / size)


def _resumed(works: Works) -> Found:
    """From epoch 4 on, beside the run that was not stopped."""
    config = config_of(works.data, 'classifier', 'ies', 'exact', EPOCHS)
    last, runs = f'epoch_{EPOCHS}.pth', {}
    for run in ('whole', 'repeated'):
        if failed := _train(works, run, config):
            return failed
        runs[run] = _weights(works.folder(run) / last)
    whole, rest = works.folder('whole'), works.folder('resumed')
    shutil.rmtree(rest, ignore_errors=True)
    shutil.copytree(whole, rest)
    options = ('--resume', str(whole / 'epoch_4.pth'))
    if failed := _train(works, 'resumed', config, *options):
        return failed
    runs['resumed'] = _weights(rest / last)
    found = _compared(runs)
    counts = [
        [record['excluded'] for record in _records(folder)]
        for folder in (whole, rest)
    ]
    if found['passed'] and counts[0] != counts[1]:
        found |= dict(passed=False, why=f'left out {counts[1]}: {counts[0]}')
    return found | dict(excluded=counts[0])


def _two_processes(works: Works) -> Found:
    """Both on one card, which NCCL does not allow."""
    name = 'classifier two processes'
    config = config_of(works.data, 'classifier', 'ies', 'two', EPOCHS)
    work_dir = works.folder(name)
    command = _command(work_dir, config, '--launcher', 'pytorch')
    log = work_dir / 'train.log'
    port = str(29500 + os.getpid() % 1000)
    with log.open('w') as file:
        processes = [
            subprocess.Popen(
                command,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=dict(os.environ)
                | ENVIRONMENT
                | dict(RANK=rank, LOCAL_RANK='0', WORLD_SIZE='2')
                | dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=port),
            )
            for rank in '01'
        ]
        codes = [process.wait() for process in processes]
    return _failed(log) if any(codes) else _verdict(work_dir)
