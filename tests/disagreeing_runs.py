"""Two processes that something outside sets apart; torchrun starts this file.

Every process writes how each training ended, ``RESULTS/NAME-RANK.pt``.
"""

import datetime
import os
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from mmcv.transforms import BaseTransform
from mmengine.config import Config
from mmpretrain.datasets import CustomDataset
from mmpretrain.registry import DATASETS, TRANSFORMS

sys.path.insert(0, str(Path(__file__).parent))

from distributed_configs import unrounded
from distributed_runs import in_processes
from ies_mm.core import LossHistory, Selection, Standing
from ies_mm.engine import IESHook
from ies_mm.errors import ConfigError
from ies_mm.selection import Decision, Method, SelectionHook
from quick_runners import quick_runners
from runs import train, with_hook
from task_runs import classifier_config, with_sampler

IMAGES = 13
SECONDS = 60
"""After which a process that waits for another fails."""


@DATASETS.register_module()
class ReversedElsewhere(CustomDataset):
    """Lists its images in another order on the second process."""

    def load_data_list(self) -> list[dict]:
        found = super().load_data_list()
        return found[::-1] if dist.get_rank() else found


@DATASETS.register_module()
class FewerElsewhere(CustomDataset):
    """Lacks an image on the second process."""

    def load_data_list(self) -> list[dict]:
        found = super().load_data_list()
        return found[:-1] if dist.get_rank() else found


@TRANSFORMS.register_module()
class FromDisk(BaseTransform):
    """Has a path of its node's own disk."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def transform(self, results: dict) -> dict:
        return results


class DrawsGlobally(Method):
    """Prunes images by the process's global random state."""

    refreshes = False

    def decide(
        self, history: LossHistory, names: Any, standing: Standing
    ) -> Decision:
        active = torch.ones(self.instances, dtype=torch.bool)
        active[torch.randperm(self.instances)[:4]] = False
        return Decision(~active, Selection(active))


def config_in(data: Path, work_dir: Path) -> Config:
    return in_processes(with_sampler(classifier_config(data, work_dir)))


def end_of(config: Config, hook: Any) -> str:
    """The error that ended a training; '' if none did."""
    try:
        train(config, with_hook(hook))
    except ConfigError as error:
        return str(error)
    return ''


def with_data_of(kind: str, data: Path, out: Path) -> str:
    config = config_in(data, out)
    config.train_dataloader.dataset.type = kind
    return end_of(config, IESHook(0))


def unequal_batches(data: Path, out: Path) -> str:
    return end_of(in_processes(unrounded(data, out)), IESHook(0))


def own_draws(data: Path, out: Path) -> str:
    config = config_in(data, out)
    config.randomness = dict(seed=7, diff_rank_seed=True)
    return end_of(config, SelectionHook(DrawsGlobally()))


def resumed_on_one(data: Path, out: Path) -> str:
    """The second process's node has no checkpoint."""
    train(config_in(data, out), with_hook(IESHook(0)))
    config = config_in(data, out / str(dist.get_rank()))
    config.train_cfg.max_epochs = 4
    if dist.get_rank() == 0:
        config.resume, config.load_from = True, str(out / 'epoch_1.pth')
    return end_of(config, IESHook(0))


def own_paths(data: Path, out: Path) -> Any:
    """Resumed with a transform that has another argument on each node."""

    def hook() -> IESHook:
        return IESHook(saved=0.3, order=0, window=3)

    config = config_in(data, out)
    config.train_cfg.max_epochs = 8
    pipeline = config.train_dataloader.dataset.pipeline
    pipeline.insert(1, dict(type='FromDisk', folder=f'/{dist.get_rank()}'))
    train(config, with_hook(hook()))
    resumed = config.copy()
    resumed.resume, resumed.load_from = True, str(out / 'epoch_4.pth')
    resumed.work_dir = str(out / 'resumed')
    found = hook()
    train(resumed, with_hook(found))
    state = found.session.state
    return state.history.values, state.selection.active


RUNS = {
    'order': lambda *paths: with_data_of('ReversedElsewhere', *paths),
    'fewer': lambda *paths: with_data_of('FewerElsewhere', *paths),
    'batches': unequal_batches,
    'draws': own_draws,
    'resumed': resumed_on_one,
    'paths': own_paths,
}


def main() -> None:
    data, results = (Path(argument) for argument in sys.argv[1:])
    torch.set_num_threads(1)
    wait = datetime.timedelta(seconds=SECONDS)
    dist.init_process_group('gloo', timeout=wait)
    with quick_runners():
        for name, run in RUNS.items():
            found = run(data, results / name)
            torch.save(found, results / f'{name}-{dist.get_rank()}.pt')
    dist.barrier()
    dist.destroy_process_group()
    # After failed trainings, PyTorch sometimes crashes at the interpreter's
    # exit ('terminate called without an active exception').
    os._exit(0)


if __name__ == '__main__':
    main()
