"""Trainings with several processes; torchrun starts this file.

Every process writes what it observed in each training, for the tests:
``RESULTS/NAME-RANK.pt``.
"""

import gc
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

sys.path.insert(0, str(Path(__file__).parent))

import distributed_configs as configs
from distributed_configs import DETECTORS, STOCK
from ies_mm.engine import (
    IESHook,
    InfoBatchHook,
    PerImageLossHook,
    RandomRemovalHook,
    SoftIESHook,
)
from ies_mm.training.data.shown_images import batch_instances
from mixing_runs import mixed
from quick_runners import quick_runners
from runs import FixedSelection, train, with_hook
from same_runs import by_epochs, by_iterations
from task_runs import classifier_config, with_sampler

OUT = {1: [0, 3, 5, 8, 9], 2: list(range(1, 13)), 3: [2]}
"""Pruned after epochs 1 to 3; after epoch 2, all but one of 13 images."""


class Watch(Hook):
    """Records what this process trains and selects, epoch by epoch."""

    priority = 'LOWEST'

    def __init__(self, hook: Any) -> None:
        self.hook = hook
        self.active: list[list[bool]] = []
        self.batches: list[list[list[int]]] = []
        self.scored: list[int] = []

    def before_train(self, runner: Runner) -> None:
        def count(model: Any, args: tuple, inputs: dict) -> None:
            if not torch.is_grad_enabled():
                self.scored[-1] += len(inputs['data_samples'])

        runner.model.module.register_forward_pre_hook(count, with_kwargs=True)

    def before_train_epoch(self, runner: Runner) -> None:
        self.active.append(self.hook.session.state.selection.active.tolist())
        self.batches.append([])
        self.scored.append(0)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, **_: Any
    ) -> None:
        self.batches[-1].append(batch_instances(data_batch).tolist())


def plain_hook(**arguments: Any) -> FixedSelection:
    return FixedSelection(OUT, keep_history=True, **arguments)


def infobatch() -> InfoBatchHook:
    return InfoBatchHook(anneal=0, keep_history=True)


def scored() -> IESHook:
    """Scores pruned images after epochs 2 to 5."""
    return IESHook(
        dict(type='Budget', saved=0.3), order=0, window=1, keep_history=True
    )


Run = tuple[Callable[[Path, Path], Config], Callable[[], Any]]

RUNS: dict[str, Run] = {
    'classifier': (configs.classifier, plain_hook),
    'detector': (configs.detector, lambda: FixedSelection(
        {1: [0, 3, 5, 8, 9], 2: list(range(1, 12)), 3: [2]}, keep_history=True
    )),
    'resized': (configs.resized, lambda: FixedSelection(
        {1: [0, 3, 5, 8, 9], 2: [1, 2, 4]}, keep_history=True,
        scoring=dict(batch_size=2),
    )),
    **{name: (configs.mixing(name), lambda: FixedSelection(
        {1: [0, 3, 5, 8, 9], 2: [1, 2, 4, 6]}, keep_history=True,
        scoring=dict(interval=2),
    )) for name in STOCK},
    'batches': (configs.mixed_batches, lambda: FixedSelection(
        {1: [0, 3, 5, 8, 9], 2: [1, 2, 4, 6, 7]}, keep_history=True,
        scoring=dict(interval=2),
    )),
    'endless': (configs.endless, plain_hook),
    'frozen': (configs.frozen, plain_hook),
    'spaced': (configs.spaced, lambda: IESHook(
        dict(type='Budget', saved=0.4), order=0, window=1, keep_history=True,
        refresh_interval=dict(type='Spaced', cap=4),
        scoring=dict(batch_size=2),
    )),
    'accumulating': (configs.accumulating, plain_hook),
    'unused': (configs.unused, lambda: InfoBatchHook(anneal=0)),
    'random': (configs.classifier, lambda: RandomRemovalHook(0.4)),
    'unrounded': (
        configs.unrounded, lambda: RandomRemovalHook(0.3, static=True)
    ),
    'measured': (configs.measured, lambda: RandomRemovalHook(0.4)),
    'soft': (configs.classifier, lambda: SoftIESHook(0.4, window=1)),
    'mastered': (configs.classifier, lambda: IESHook(1e9, order=1, window=1)),
    'whole': (by_epochs, infobatch),
    'resumed': (configs.resumed, infobatch),
    'whole-scored': (configs.own_statistics, scored),
    'resumed-scored': (configs.resumed_statistics, scored),
    'whole-endless': (configs.repeated_endless, infobatch),
    'resumed-endless': (configs.resumed_endless, infobatch),
    'two': (by_iterations, lambda: FixedSelection({}, keep_history=True)),
    'watched': (configs.watched, PerImageLossHook),
    'watched-endless': (configs.watched_endless, PerImageLossHook),
    'of-one': (configs.of_one, lambda: FixedSelection({}, keep_history=True)),
}  # fmt: skip

PLAIN: dict[str, Callable[[Path, Path], Config]] = {
    **{name: partial(make, epochs=2) for name, make in STOCK.items()},
    'batches': lambda *paths: mixed(classifier_config(*paths)),
}
"""Plain trainings that mix images."""


def run(name: str, data: Path, results: Path) -> None:
    """Train, and write what was observed."""
    make, hook_of = RUNS[name]
    config, hook = in_processes(make(data, results / name)), hook_of()
    watch = Watch(hook)

    def register(runner: Runner) -> None:
        runner.register_hook(hook)
        runner.register_hook(watch)

    runner = train(config, register)
    weight = hook.session.state.selection.weight
    seen = {
        'active': watch.active,
        'batches': watch.batches,
        'scored': watch.scored,
        'last': hook.session.state.selection.active.tolist(),
        'weight': None if weight is None else weight.tolist(),
        'history': hook.session.state.history.values,
        'parameters': parameters_of(runner),
        'epoch': runner.epoch,
        'iter': runner.iter,
        'rate': runner.optim_wrapper.get_lr()['lr'],
    }
    torch.save(seen, results / f'{name}-{dist.get_rank()}.pt')


def in_processes(config: Config) -> Config:
    config.launcher = 'pytorch'
    wrapper = config.get('model_wrapper_cfg') or {}
    config.model_wrapper_cfg = dict(
        type='MMDistributedDataParallel', device_ids=None, **wrapper
    )
    return config


def parameters_of(runner: Runner) -> dict[str, torch.Tensor]:
    named = runner.model.module.named_parameters()
    return {name: parameter.detach() for name, parameter in named}


def run_plain_and_off(name: str, data: Path, results: Path) -> None:
    """Train without a hook, and with one that is off."""
    make = PLAIN[name]
    plain = in_processes(make(data, results / f'{name}-plain'))
    off = in_processes(with_sampler(make(data, results / f'{name}-off')))
    hook = IESHook(delta=0, scoring=dict(interval=1))
    found = {
        'plain': parameters_of(train(plain)),
        'off': parameters_of(train(off, with_hook(hook))),
    }
    torch.save(found, results / f'{name}-off-{dist.get_rank()}.pt')


def main() -> None:
    voc, folders, results = (Path(argument) for argument in sys.argv[1:])
    torch.set_num_threads(1)
    dist.init_process_group('gloo')
    gc.freeze()
    with quick_runners():
        for name in RUNS:
            run(name, voc if name in DETECTORS else folders, results)
        for name in PLAIN:
            data = voc if name in DETECTORS else folders
            run_plain_and_off(name, data, results)
    dist.barrier()
    dist.destroy_process_group()


if __name__ == '__main__':
    main()
