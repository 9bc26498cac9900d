"""Configs of the trainings with several processes."""

from collections.abc import Callable
from pathlib import Path

from mmengine.config import Config

from method_cases import config_of
from mixing_runs import mixed, rtmdet, rtmdet_ins, yolox
from runs import ies_config
from same_runs import by_epochs, by_iterations
from task_runs import in_iterations, with_sampler

EPOCHS = 4
STOCK = dict(rtmdet=rtmdet, rtmdet_ins=rtmdet_ins, yolox=yolox)
"""Detectors whose samples are mixed from several images."""

DETECTORS = ('detector', 'resized', *STOCK)


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


def unrounded(folders: Path, work_dir: Path) -> Config:
    """All images are three batches in one process, two in the other."""
    config = by_epochs(folders, work_dir)
    config.train_dataloader.batch_size = 3
    config.train_dataloader.sampler.round_up = False
    return config


def _continued(config: Config, checkpoint: str) -> Config:
    """Resume from a checkpoint of another of the runs."""
    config.resume = True
    config.load_from = str(Path(config.work_dir).parent / checkpoint)
    return config


def resumed(folders: Path, work_dir: Path) -> Config:
    """Resumed after the second epoch of ``whole``."""
    return _continued(by_epochs(folders, work_dir), 'whole/epoch_2.pth')


def own_statistics(folders: Path, work_dir: Path) -> Config:
    """BatchNorm's statistics differ, as with MMEngine's own wrapper."""
    config = by_epochs(folders, work_dir)
    config.model_wrapper_cfg = dict(broadcast_buffers=False)
    return config


def resumed_statistics(folders: Path, work_dir: Path) -> Config:
    """Resumed after the third epoch of ``whole-scored``."""
    return _continued(
        own_statistics(folders, work_dir), 'whole-scored/epoch_3.pth'
    )


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
    return _continued(
        repeated_endless(folders, work_dir), 'whole-endless/iter_4.pth'
    )


def of_one(folders: Path, work_dir: Path) -> Config:
    """Resumed from the middle of a pass of a single-process run."""
    return _continued(by_iterations(folders, work_dir), 'one/iter_8.pth')


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
