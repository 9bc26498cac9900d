"""The detector, segmentor and classifier of the short trainings."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

TASKS = ('classifier', 'detector', 'segmentor')
TOOLS = Path(__file__).resolve().parents[1]
CONFIGS = TOOLS.parent / 'configs'
BUDGET = dict(type='Budget', saved=0.3)
HOOKS: dict[str, dict[str, Any] | None] = {
    'plain': None,
    'off': dict(type='IESHook', delta=0),
    'ies': dict(type='IESHook', delta=BUDGET, order=1, window=1),
    'infobatch': dict(type='InfoBatchHook'),
    'soft_ies': dict(type='SoftIESHook', saved=0.3, window=1),
}


def make_task_data(data: Path, images: int) -> None:
    """Make scenes for detector and segmentor, noise for the classifier.

    Args:
        data (Path): The folder to create.
        images (int): Training images; the classifier gets four times as many.
    """
    command = [sys.executable, TOOLS / 'make_voc.py', data / 'voc']
    command += ['--images', str(images), '--seed', '0']
    subprocess.run(list(map(str, command)), check=True)
    generator = np.random.default_rng(0)
    for number in range(4 * images):
        folder = data / 'classes' / str(number % 4)
        folder.mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 200, (32, 32, 3), dtype=np.uint8)
        pixels[..., number % 3] += 10 * np.uint8(number % 4)
        Image.fromarray(pixels).save(folder / f'{number:04}.png')


def config_of(
    data: Path, task: str, method: str, mode: str, epochs: int
) -> str:
    """The text of a config.

    Args:
        data (Path): Folder made by :func:`make_task_data`.
        task (str): One of ``TASKS``.
        method (str): One of ``HOOKS``.
        mode (str): How to train; 'exact' has no randomness in the pipeline,
            and uses PyTorch's deterministic algorithms where all exist.
        epochs (int): Number of epochs.
    """
    lines: dict[str, Any] = dict(_TASKS[task](data.resolve()))
    hook = HOOKS[method]
    hooks: dict[str, Any] = dict(
        checkpoint=dict(interval=1, max_keep_ckpts=-1, save_best=None)
    )
    loader = lines['train_dataloader']
    loader |= dict(num_workers=1, persistent_workers=True)
    if hook is not None:
        hooks['ies'] = dict(hook)
        loader['sampler'] = dict(type='IESSampler', shuffle=True)
    imports = ['gpu_checks.hooks', 'ies_mm.engine']
    lines |= dict(
        custom_imports=dict(imports=imports),
        default_hooks=hooks,
        train_cfg=dict(max_epochs=epochs),
        randomness=dict(seed=0),
        **dict.fromkeys(_TESTS),
    )
    _MODES[mode](lines, task)
    return '\n'.join(f'{key} = {value!r}' for key, value in lines.items())


_TESTS = tuple(
    f'{part}_{what}'
    for part in ('val', 'test')
    for what in ('dataloader', 'cfg', 'evaluator')
)


def _detector(data: Path) -> dict[str, Any]:
    return dict(
        _base_=str(CONFIGS / 'faster_rcnn_r18_demo.py'),
        train_dataloader=dict(
            dataset=dict(data_root=f'{data}/voc/VOCdevkit/')
        ),
    )


def _segmentor(data: Path) -> dict[str, Any]:
    return dict(
        _base_=str(CONFIGS / 'deeplabv3_r18_camvid.py'),
        model=dict(
            decode_head=dict(num_classes=21),
            auxiliary_head=dict(num_classes=21),
        ),
        train_dataloader=dict(
            dataset=dict(
                data_root=str(data / 'voc/VOCdevkit/VOC2012'),
                metainfo=dict(
                    _delete_=True,
                    classes=tuple(map(str, range(21))),
                    palette=[[n] * 3 for n in range(21)],
                ),
            )
        ),
    )


def _classifier(data: Path) -> dict[str, Any]:
    return dict(
        _base_=str(CONFIGS / 'cifar/resnet14_cifar10_2k.py'),
        train_dataloader=dict(
            batch_size=32, dataset=dict(data_root=str(data / 'classes'))
        ),
    )


_TASKS = dict(detector=_detector, segmentor=_segmentor, classifier=_classifier)


def _as_is(lines: dict[str, Any], task: str) -> None:
    pass


def _amp(lines: dict[str, Any], dtype: str) -> None:
    lines['optim_wrapper'] = dict(type='AmpOptimWrapper', dtype=dtype)
    if dtype == 'float16':
        lines['optim_wrapper']['loss_scale'] = 'dynamic'


def _channels_last(lines: dict[str, Any], task: str) -> None:
    lines['default_hooks']['layout'] = dict(type='ChannelsLastHook')


def _accumulation(lines: dict[str, Any], task: str) -> None:
    lines['optim_wrapper'] = dict(accumulative_counts=2)


def _compiled(lines: dict[str, Any], task: str) -> None:
    lines['compile'] = dict(backend='inductor')


def _scored(lines: dict[str, Any], task: str) -> None:
    lines['default_hooks']['ies']['scoring'] = dict(batch_size=16)


def _exact(lines: dict[str, Any], task: str) -> None:
    lines['randomness'] = dict(seed=0, deterministic=task == 'classifier')
    pipelines = {
        'classifier': [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
    }
    if task in pipelines:
        lines['train_dataloader']['dataset']['pipeline'] = pipelines[task]


def _two(lines: dict[str, Any], task: str) -> None:
    lines['env_cfg'] = dict(dist_cfg=dict(backend='gloo'))


_MODES = {
    'float32': _as_is,
    'float16': lambda lines, task: _amp(lines, 'float16'),
    'bfloat16': lambda lines, task: _amp(lines, 'bfloat16'),
    'channels_last': _channels_last,
    'accumulation': _accumulation,
    'compiled': _compiled,
    'scored by 16': _scored,
    'exact': _exact,
    'two': _two,
}
