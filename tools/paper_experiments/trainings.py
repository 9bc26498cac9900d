"""A training run of the paper, and its config."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from mmengine.config import Config

from paper_experiments.scale import Scale

CIFAR10, CIFAR100, IMAGENET = 'cifar10', 'cifar100', 'imagenet'
VOC07, VOC12 = 'voc07', 'voc12'
SGD_E, ADAM = 'sgd_e', 'adam'
TITLES = {CIFAR10: 'CIFAR-10', CIFAR100: 'CIFAR-100', IMAGENET: 'ImageNet'}


@dataclass(frozen=True)
class Training:
    """One training without its seed; the scale gives the other settings.

    Attributes:
        method (str): Unique name, also of the folder of its runs.
        hook (tuple): Items of the selection hook; empty without one.
        data (str): Name of the dataset.
        setting (str): Network and optimiser, by the name that the scale's
            configs have; the network is left out where it is the usual one.
        noise (str): ``KIND_RATIO`` of the noise in its training labels;
            empty without noise.
        of_figure_4 (bool): Whether to use the settings of appendix B.5
            instead of appendix A. Defaults to False.
        dynamics (bool): Whether gradient norm and sharpness are recorded.
            Defaults to False.
        epochs (int): Number of epochs, with the schedule of the full length.
            Defaults to 0, the full length.
        length (float): Share of the epochs, with the schedule scaled to it.
            Defaults to 1.
        start (Training): The training whose backbone it starts from, with the
            same seed. Defaults to None.
    """

    method: str
    # The name stands for it; arguments may be dicts, which have no hash.
    hook: tuple[tuple[str, Any], ...] = field(default=(), hash=False)
    data: str = CIFAR10
    setting: str = SGD_E
    noise: str = ''
    of_figure_4: bool = False
    dynamics: bool = False
    epochs: int = 0
    length: float = 1.0
    start: 'Training | None' = None

    def folder(self, scale: Scale) -> str:
        """Folder of its runs, relative to the scale's."""
        setting = '_'.join(filter(None, (self.data, self.setting, self.noise)))
        if self.of_figure_4 and scale.has_two_settings:
            setting += '_b5'
        if self.epochs:
            setting += f'_{self.epochs}epochs'
        if self.length != 1:
            setting += f'_length{self.length:g}'
        name = self.method + '_dynamics' * self.dynamics
        if self.start:
            name += f'_from_{self.start.folder(scale).replace("/", "_")}'
        return f'{setting}/{name}'


def plain(**changes: Any) -> Training:
    """A training run without selection."""
    return Training('plain', **changes)


def ies(
    delta: float, order: int = 2, data: str = CIFAR10, **changes: Any
) -> Training:
    """IES with a numeric delta.

    The losses of all epochs are kept, except on ImageNet, where they are too
    many; there the last tenth of the epochs trains on all images (B.3).
    """
    name = f'ies_order{order}_delta{delta:g}'
    more = dict(anneal=0.1) if data == IMAGENET else dict(keep_history=True)
    hook = dict(type='IESHook', delta=delta, order=order, **more)
    return Training(name, tuple(hook.items()), data=data, **changes)


def by_budget(saved: float, **changes: Any) -> Training:
    """IES in its default setting, which saves a given share."""
    hook = dict(type='IESHook', saved=saved)
    return Training(f'ies_saved{saved:g}', tuple(hook.items()), **changes)


def dry(**changes: Any) -> Training:
    """Bit-identical to the plain run, with all losses recorded.

    They determine what any order and delta would have mastered.
    """
    hook = dict(type='IESHook', delta=0.0, dry_run=True, keep_history=True)
    return Training('dry', tuple(hook.items()), **changes)


def by_ratio(kind: str, ratio: float, **changes: Any) -> Training:
    """A method with a fixed ratio, like ``'RandomRemovalHook'``."""
    hook = dict(type=kind, ratio=ratio)
    name = f'{kind.removesuffix("Hook").lower()}_{ratio:g}'
    return Training(name, tuple(hook.items()), **changes)


def config_text(
    training: Training,
    scale: Scale,
    data: Path | None,
    seed: int,
    labels: Path | None = None,
    start: Path | None = None,
    program_test: bool = False,
) -> str:
    """A complete config that inherits from the scale's.

    Args:
        training (Training): The training.
        scale (Scale): Its scale.
        data (Path, optional): Folder of the images; None for the config's.
        seed (int): Seed of the training.
        labels (Path, optional): File of its noisy labels. Defaults to None.
        start (Path, optional): Checkpoint of its backbone. Defaults to None.
        program_test (bool): Whether test images get the training's pipeline.
            Defaults to False.
    """
    base = scale.configs[training.data, training.setting]
    changes = scale.changes(training.data, training.setting, data)
    if training.of_figure_4:
        changes = _merged(changes, scale.of_figure_4)
    changes = _merged(changes, _hooks(training, scale))
    if training.epochs:
        loop = dict(train_cfg=dict(max_epochs=training.epochs))
        changes = _merged(changes, loop)
    if start:
        changes = _merged(changes, _head_only(start))
    if program_test:
        dataset = dict(dataset=dict(pipeline=_pipeline(changes, base)))
        changes = _merged(changes, dict(val_dataloader=dataset))
    if training.noise:
        changes = _with_noise(changes, base, labels)
    changes = _merged(changes, dict(randomness=dict(seed=seed)))
    lines = [f'_base_ = {str(base)!r}']
    lines += [f'{key} = {value!r}' for key, value in changes.items()]
    return '\n'.join(lines) + '\n'


def _head_only(start: Path) -> dict[str, Any]:
    """Load the backbone and train the head alone."""
    weights = dict(
        type='Pretrained', checkpoint=str(start), prefix='backbone.'
    )
    return dict(
        model=dict(backbone=dict(init_cfg=weights)),
        custom_hooks=[dict(type='HeadOnlyHook')],
        custom_imports=dict(
            imports=['ies_mm.engine'], allow_failed_imports=False
        ),
    )


def _with_noise(
    changes: dict[str, Any], base: Path, labels: Path | None
) -> dict[str, Any]:
    """Append noisy labels to the training pipeline."""
    noise = dict(type='LoadNoisyLabels', file=str(labels))
    pipeline = [*_pipeline(changes, base), noise]
    dataset = dict(dataset=dict(pipeline=pipeline))
    imports = dict(imports=['ies_mm.engine'], allow_failed_imports=False)
    return _merged(
        changes, dict(train_dataloader=dataset, custom_imports=imports)
    )


def _pipeline(changes: dict[str, Any], base: Path) -> list[dict]:
    """The training pipeline, the scale's or the config's."""
    dataset = changes.get('train_dataloader', {}).get('dataset', {})
    return list(dataset.get('pipeline') or _pipeline_of(base))


@cache
def _pipeline_of(base: Path) -> list[dict]:
    config = Config.fromfile(base)
    pipeline: list[dict] = config.train_dataloader.dataset.to_dict()[
        'pipeline'
    ]
    return pipeline


def _hooks(training: Training, scale: Scale) -> dict[str, Any]:
    found: dict[str, Any] = {}
    hooks: dict[str, Any] = {}
    if training.hook:
        hooks['ies'] = dict(training.hook)
        sampler = dict(sampler=dict(type='IESSampler'))
        found['train_dataloader'] = sampler
    if training.dynamics:
        hooks['dynamics'] = dict(type='TrainingDynamicsHook', **scale.dynamics)
    if hooks:
        found['default_hooks'] = hooks
        found['custom_imports'] = dict(
            imports=['ies_mm.engine'], allow_failed_imports=False
        )
    return found


def _merged(
    one: Mapping[str, Any], other: Mapping[str, Any]
) -> dict[str, Any]:
    """Merge nested dicts as config inheritance does."""
    found = dict(one)
    for key, value in other.items():
        both = isinstance(value, dict) and isinstance(found.get(key), dict)
        found[key] = _merged(found[key], value) if both else value
    return found
