"""Every selection method, configured to prune within a few epochs."""

from pathlib import Path

from mmengine.config import Config

from ies_mm.engine import (
    BatchLossScoreHook,
    DIHCLHook,
    IESHook,
    InfoBatchHook,
    OrderDPHook,
    RandomRemovalHook,
    SelectiveBackpropHook,
    SmallLossRescaleHook,
    SoftIESHook,
)
from task_runs import classifier_config, with_sampler

METHODS = [
    (IESHook, dict(delta=0.12, order=1, window=1)),
    (
        IESHook,
        dict(
            delta=dict(type='Budget', saved=0.3),
            order=1,
            window=1,
        ),
    ),
    *(
        (
            IESHook,
            dict(
                delta=dict(type='Budget', saved=0.4),
                order=0,
                window=1,
                refresh_interval=dict(type='Spaced', cap=2, by=by),
            ),
        )
        for by in ('scoring', 'training')
    ),
    (
        IESHook,
        dict(
            delta=dict(type='Budget', saved=0.3, by_class=True),
            order=0,
            window=1,
        ),
    ),
    (SoftIESHook, dict(saved=0.3, window=1)),
    (SoftIESHook, dict(saved=0.3, window=1, replacement=False)),
    (InfoBatchHook, dict()),
    (SmallLossRescaleHook, dict(ratio=0.6)),
    (BatchLossScoreHook, dict(alpha=0.7)),
    (OrderDPHook, dict(saved=0.3)),
    (RandomRemovalHook, dict(ratio=0.3, replacement=False)),
    (
        RandomRemovalHook,
        dict(
            ratio=dict(type='Budget', saved=0.3, by_class=True),
            rescale=True,
            static=True,
            anneal=0.2,
        ),
    ),
    (DIHCLHook, dict(warmup=1, factor=0.8)),
    (SelectiveBackpropHook, dict()),
]

# With these, a method prunes and weights nothing.
OFF = [
    (InfoBatchHook, dict(ratio=0)),
    (SmallLossRescaleHook, dict(ratio=0)),
    (OrderDPHook, dict(saved=0)),
    (RandomRemovalHook, dict(ratio=0)),
    (DIHCLHook, dict(warmup=1, start=1.0, end=1.0)),
    (SelectiveBackpropHook, dict(beta=0)),
    (SoftIESHook, dict(saved=0)),
]
# IES with delta=0 has tests of its own, Batch Loss Score no such setting.
NOT_OFF = [IESHook, BatchLossScoreHook]


def config_of(folders: Path, work_dir: Path, epochs: int) -> Config:
    """A small classifier's training with our sampler, without a hook."""
    config = with_sampler(classifier_config(folders, work_dir))
    config.train_cfg.max_epochs = epochs
    return config
