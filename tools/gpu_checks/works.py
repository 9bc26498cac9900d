"""Short trainings on this device: do they finish, and do they prune?"""

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path

from gpu_checks.same_weights import off_is_plain, resumed
from gpu_checks.short_trainings import (
    ENVIRONMENT,
    EPOCHS,
    TOOLS,
    WHY,
    Found,
    Works,
    command_of,
    failure_in,
    train,
    verdict,
)
from gpu_checks.tasks import TASKS, config_of, make_task_data

METHODS = ('ies', 'infobatch', 'soft_ies')
PRECISIONS = ('float32', 'float16', 'bfloat16')
SETTINGS = ('compiled', 'channels_last', 'accumulation', 'scored by 16')


def run_trainings(out: Path, device: str, rehearse: bool) -> None:
    """Run the checks in parallel; write ``works/NAME.json`` for each."""
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
    """All checks by name, the most informative first."""
    found: dict[str, Callable[[], Found]] = {}
    found['losses on both devices'] = partial(_agree, works, rehearse)
    # The slowest come first.
    found['classifier resumed'] = partial(resumed, works)
    found['classifier two processes'] = partial(_two_processes, works)
    for task in TASKS:
        found[f'{task} off is plain'] = partial(off_is_plain, works, task)
    for mode, method, task in itertools.product(
        (*SETTINGS, *PRECISIONS), METHODS, TASKS
    ):
        if mode in PRECISIONS or method == 'ies':
            name = f'{task} {method} {mode}'
            found[name] = partial(_trained, works, name, task, method, mode)
    if rehearse:
        # This covers what a single process does, and more.
        name = 'classifier two processes'
        return {name: found[name]}
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
    failed = train(
        works, name, config_of(works.data, task, method, mode, EPOCHS)
    )
    if failed and train(
        works, f'{name} plain', config_of(works.data, task, 'plain', mode, 1)
    ):
        failed['why'] = f'so does a plain training: {failed["why"]}'
    return failed or verdict(works.folder(name))


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
        return failure_in(log)
    models = json.loads(path.read_text())
    wrong = [f'{k}: {v["why"]}' for k, v in models.items() if v['why']]
    return dict(
        passed=not wrong, why='; '.join(wrong)[: 4 * WHY], models=models
    )


def _two_processes(works: Works) -> Found:
    """Run both on one GPU, which only gloo allows, not NCCL."""
    name = 'classifier two processes'
    config = config_of(works.data, 'classifier', 'ies', 'two', EPOCHS)
    work_dir = works.folder(name)
    command = command_of(work_dir, config, '--launcher', 'pytorch')
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
    return failure_in(log) if any(codes) else verdict(work_dir)
