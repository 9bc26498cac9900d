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

from ies_mm.engine import (
    IESHook,
    InfoBatchHook,
    PerImageLossHook,
    RandomRemovalHook,
    SoftIESHook,
)
from ies_mm.training.data.shown_images import batch_instances
from method_cases import config_of
from mixing_runs import mixed, rtmdet, rtmdet_ins, yolox
from quick_runners import quick_runners
from runs import FixedSelection, ies_config, train, with_hook
from same_runs import by_epochs, by_iterations
from task_runs import classifier_config, in_iterations, with_sampler

EPOCHS = 4
STOCK = dict(rtmdet=rtmdet, rtmdet_ins=rtmdet_ins, yolox=yolox)
"""Detectors whose samples are mixed from several images."""

DETECTORS = ('detector', 'resized', *STOCK)
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


def classifier(folders: Path, work_dir: Path) -> Config:
    return config_of(folders, work_dir, EPOCHS)


def measured(folders: Path, work_dir: Path) -> Config:
    """With the training dynamics recorded."""
    config = classifier(folders, work_dir)
    config.default_hooks.dynamics = dict(
        type='TrainingDynamicsHook', interval=2, images=5, iterations=1
    )
    return config


def detector(voc: Path, work_dir: Path) -> Config:
    """Batches by aspect ratio; only the order is random."""
    config = ies_config(voc, work_dir, EPOCHS)
    config.default_hooks.pop('ies')
    config.optim_wrapper.optimizer.lr = 0.0
    config.model.backbone.norm_eval = True
    config.train_dataloader.dataset.pipeline[3].prob = 0.0
    for part in (config.model.train_cfg.rpn, config.model.train_cfg.rcnn):
        part.sampler.num = 10**6
        part.sampler.pos_fraction = 1.0
    return config


def resized(voc: Path, work_dir: Path) -> Config:
    """Each batch is resized to a size that all processes agree on."""
    config = detector(voc, work_dir)
    pipeline = config.train_dataloader.dataset.pipeline
    pipeline[2] = dict(type='Resize', scale=(96, 96), keep_ratio=False)
    config.model.data_preprocessor.batch_augments = [
        dict(
            type='BatchSyncRandomResize',
            random_size_range=(64, 128),
            interval=1,
        )
    ]
    return config


def mixing(name: str) -> Callable[[Path, Path], Config]:
    """A stock detector, with our sampler."""
    return lambda voc, work_dir: with_sampler(
        STOCK[name](voc, work_dir, EPOCHS)
    )


def mixed_batches(folders: Path, work_dir: Path) -> Config:
    """With Mixup and CutMix, every image twice."""
    config = mixed(classifier(folders, work_dir))
    config.train_dataloader.sampler.num_repeats = 2
    return config


def frozen(folders: Path, work_dir: Path) -> Config:
    """Weights and statistics that do not change."""
    config = by_epochs(folders, work_dir)
    config.train_cfg.max_epochs = 2
    config.optim_wrapper.optimizer.lr = 0.0
    config.param_scheduler = None
    config.model.backbone.norm_eval = True
    return config


def spaced(folders: Path, work_dir: Path) -> Config:
    """Eight epochs, with a persistent worker in every process."""
    config = classifier(folders, work_dir)
    config.train_cfg.max_epochs = 8
    config.train_dataloader.num_workers = 1
    config.train_dataloader.persistent_workers = True
    return config


def accumulating(folders: Path, work_dir: Path) -> Config:
    config = classifier(folders, work_dir)
    config.optim_wrapper.accumulative_counts = 3
    return config


def endless(folders: Path, work_dir: Path) -> Config:
    return with_sampler(in_iterations(classifier(folders, work_dir), 12))


def resumed(folders: Path, work_dir: Path) -> Config:
    """Resumed after the second epoch of ``whole``."""
    config = by_epochs(folders, work_dir)
    config.resume = True
    config.load_from = str(work_dir.parent / 'whole' / 'epoch_2.pth')
    return config


def repeated_endless(folders: Path, work_dir: Path) -> Config:
    """A pass shows every image twice."""
    config = by_iterations(folders, work_dir)
    config.train_dataloader.dataset = dict(
        type='RepeatDataset',
        times=2,
        dataset=config.train_dataloader.dataset,
    )
    return config


def resumed_endless(folders: Path, work_dir: Path) -> Config:
    """Resumed from the middle of a pass of ``whole-endless``."""
    config = repeated_endless(folders, work_dir)
    config.resume = True
    config.load_from = str(work_dir.parent / 'whole-endless' / 'iter_4.pth')
    return config


def of_one(folders: Path, work_dir: Path) -> Config:
    """Resumed from the middle of a pass of a single-process run."""
    config = by_iterations(folders, work_dir)
    config.resume = True
    config.load_from = str(work_dir.parent / 'one' / 'iter_8.pth')
    return config


def watched(folders: Path, work_dir: Path) -> Config:
    """With MMEngine's own sampler; two images fill the last batches."""
    config = by_epochs(folders, work_dir)
    config.train_dataloader.sampler.type = 'DefaultSampler'
    return config


def watched_endless(folders: Path, work_dir: Path) -> Config:
    """As ``two``, with MMEngine's own sampler."""
    config = by_iterations(folders, work_dir)
    config.train_dataloader.sampler.type = 'InfiniteSampler'
    return config


def unused(folders: Path, work_dir: Path) -> Config:
    config = classifier(folders, work_dir)
    config.model_wrapper_cfg = dict(find_unused_parameters=True)
    return config


Run = tuple[Callable[[Path, Path], Config], Callable[[], Any]]

RUNS: dict[str, Run] = {
    'classifier': (classifier, plain_hook),
    'detector': (detector, lambda: FixedSelection(
        {1: [0, 3, 5, 8, 9], 2: list(range(1, 12)), 3: [2]}, keep_history=True
    )),
    'resized': (resized, lambda: FixedSelection(
        {1: [0, 3, 5, 8, 9], 2: [1, 2, 4]}, keep_history=True,
        scoring=dict(batch_size=2),
    )),
    **{name: (mixing(name), lambda: FixedSelection(
        {1: [0, 3, 5, 8, 9], 2: [1, 2, 4, 6]}, keep_history=True,
        scoring=dict(interval=2),
    )) for name in STOCK},
    'batches': (mixed_batches, lambda: FixedSelection(
        {1: [0, 3, 5, 8, 9], 2: [1, 2, 4, 6, 7]}, keep_history=True,
        scoring=dict(interval=2),
    )),
    'endless': (endless, plain_hook),
    'frozen': (frozen, plain_hook),
    'spaced': (spaced, lambda: IESHook(
        dict(type='Budget', saved=0.4), order=0, window=1, keep_history=True,
        refresh_interval=dict(type='Spaced', cap=4),
        scoring=dict(batch_size=2),
    )),
    'accumulating': (accumulating, plain_hook),
    'unused': (unused, lambda: InfoBatchHook(anneal=0)),
    'random': (classifier, lambda: RandomRemovalHook(0.4)),
    'measured': (measured, lambda: RandomRemovalHook(0.4)),
    'soft': (classifier, lambda: SoftIESHook(0.4, window=1)),
    'mastered': (classifier, lambda: IESHook(1e9, order=1, window=1)),
    'whole': (by_epochs, lambda: InfoBatchHook(anneal=0, keep_history=True)),
    'resumed': (resumed, lambda: InfoBatchHook(anneal=0, keep_history=True)),
    'whole-endless': (
        repeated_endless, lambda: InfoBatchHook(anneal=0, keep_history=True)
    ),
    'resumed-endless': (
        resumed_endless, lambda: InfoBatchHook(anneal=0, keep_history=True)
    ),
    'two': (by_iterations, lambda: FixedSelection({}, keep_history=True)),
    'watched': (watched, PerImageLossHook),
    'watched-endless': (watched_endless, PerImageLossHook),
    'of-one': (of_one, lambda: FixedSelection({}, keep_history=True)),
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
