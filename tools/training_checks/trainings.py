"""Short trainings of a family's model."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coverage_checks.data import Sizes
from coverage_checks.draws import seed_all
from coverage_checks.listed import Family
from coverage_checks.reduce import build, load
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from ies_mm.engine import IESHook
from training_checks.made import MadeImages, numbers_in

EPOCHS, STOP, SHORT = 8, 4, 2
"""Epochs of a run, of one that is stopped, and of one without pruning."""

BATCH_SIZE = 4
SAVED = 0.3

_NAMES = itertools.count()


class Stopped(Exception):  # noqa: N818, nothing is wrong
    """A training run was stopped behind a checkpoint."""


@dataclass
class Training:
    """What a training run left behind.

    Attributes:
        weights (dict): The model's ``state_dict``.
        trained (list of set): The images that each epoch trained.
        selected (list of set): Those it was to train.
    """

    weights: dict[str, Tensor] = field(default_factory=dict)
    trained: list[set[int]] = field(default_factory=list)
    selected: list[set[int]] = field(default_factory=list)


class Watch(Hook):
    """Notes the images of each epoch; seeds it, as MMEngine does not."""

    priority = 'VERY_LOW'

    def __init__(self, found: Training, hook: IESHook | None) -> None:
        self._found = found
        self._hook = hook

    def before_train_epoch(self, runner: Runner) -> None:
        """Note what is selected."""
        seed_all(100 + runner.epoch)
        self._found.trained.append(set())
        if self._hook is not None:
            active = self._hook.session.state.selection.active
            self._found.selected.append(set(active.nonzero()[:, 0].tolist()))

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Note what was trained."""
        self._found.trained[-1].update(numbers_in(data_batch))


class Stop(Hook):
    """Ends a training run after an epoch, when its checkpoint is saved."""

    priority = 'LOWEST'

    def after_train_epoch(self, runner: Runner) -> None:
        """Raise :class:`Stopped` after epoch ``STOP``."""
        if runner.epoch + 1 == STOP:
            raise Stopped


def train(
    family: Family,
    sizes: Sizes,
    work_dir: Path,
    epochs: int,
    hook: IESHook | None = None,
    more: Sequence[Hook] = (),
    resume: bool = False,
) -> Training:
    """Train a family's model from scratch.

    Args:
        family (Family): The family.
        sizes (tuple): See :class:`MadeImages`.
        work_dir (Path): Folder of the run.
        epochs (int): Number of epochs.
        hook (IESHook, optional): Defaults to None, a plain training.
        more (sequence of Hook): Further hooks. Defaults to none.
        resume (bool): Whether to resume the run in ``work_dir`` from its
            newest checkpoint. Defaults to False.
    """
    found = Training()
    runner = _runner(family, sizes, work_dir, epochs, hook, resume)
    for other in (hook, Watch(found, hook), *more):
        if other is not None:
            runner.register_hook(other)
    runner.train()
    found.weights = runner.model.state_dict()
    return found


def _runner(
    family: Family,
    sizes: Sizes,
    work_dir: Path,
    epochs: int,
    hook: IESHook | None,
    resume: bool,
) -> Runner:
    seed_all(0)
    cfg = load(family)
    _settle(cfg.model)
    model: Any = build(cfg, family)
    if family.library == 'mmseg':
        # Otherwise it pads to the size of the config's crops.
        model.data_preprocessor.size = sizes[0]
        model.data_preprocessor.size_divisor = None
    sampler = 'IESSampler' if hook else 'DefaultSampler'
    return Runner(
        model=model,
        work_dir=str(work_dir),
        train_dataloader=dict(
            dataset=MadeImages(cfg, family.library, sizes),
            batch_size=BATCH_SIZE,
            num_workers=0,
            sampler=dict(type=sampler, shuffle=True),
            collate_fn=dict(type='pseudo_collate'),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(
            optimizer=dict(type='SGD', lr=1e-3, momentum=0.9),
            clip_grad=dict(max_norm=1.0),
        ),
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', interval=STOP)
        ),
        randomness=dict(seed=0),
        resume=resume,
        default_scope=cfg.get('default_scope') or family.library,
        experiment_name=f'training-{next(_NAMES)}',
    )


def _settle(model: Any) -> None:
    """Set what mmdet's IoU-balanced sampler sets in its first step.

    It then changes its own ``floor_thr`` from -1 to 0. No checkpoint holds
    that, so that a resumed plain run may sample others.
    """
    children = model.values() if isinstance(model, dict) else model
    for child in children:
        if isinstance(child, (dict, list)):
            _settle(child)
    if isinstance(model, dict) and model.get('floor_thr') == -1:
        model['floor_thr'] = 0
