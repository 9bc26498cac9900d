"""Synthetic work directories as MMEngine and our hooks write them."""

import copy
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

START = datetime(2026, 1, 1, 10)
CONFIG: dict[str, Any] = dict(
    model=dict(type='FasterRCNN', depth=18),
    train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=4),
    val_cfg=dict(type='ValLoop'),
    train_dataloader=dict(
        batch_size=2,
        sampler=dict(type='DefaultSampler', shuffle=True),
        dataset=dict(
            type='VOCDataset', data_root='data/voc/', ann_file='train.txt'
        ),
    ),
    val_dataloader=dict(
        dataset=dict(
            type='VOCDataset', data_root='data/voc/', ann_file='val.txt'
        ),
    ),
    default_hooks=dict(logger=dict(type='LoggerHook', interval=10)),
    randomness=dict(seed=0),
    resume=False,
    load_from=None,
    launcher='none',
)


def config_of(seed: int = 0, hook: dict | None = None, **changes: Any) -> dict:
    """A plain config, or one with a hook and our sampler.

    ``changes``: dotted keys with two underscores for a dot.
    """
    config = copy.deepcopy(CONFIG)
    config['randomness']['seed'] = seed
    if hook is not None:
        config['default_hooks']['ies'] = {'type': 'IESHook'} | hook
        config['train_dataloader']['sampler']['type'] = 'IESSampler'
    for dotted, value in changes.items():
        *parents, key = dotted.split('__')
        place = config
        for parent in parents:
            place = place[parent]
        place[key] = value
    return config


def write_start(
    work_dir: Path,
    config: dict,
    scalars: list[dict],
    log: list[tuple[float, str]] | None = None,
    stamp: str = '20260101_100000',
) -> Path:
    """Write one start of a run; ``log``: seconds since START and a message."""
    folder = work_dir / stamp
    (folder / 'vis_data').mkdir(parents=True)
    text = ''.join(f'{key} = {value!r}\n' for key, value in config.items())
    (folder / 'vis_data' / 'config.py').write_text(text)
    write_lines(folder / 'vis_data' / 'scalars.json', scalars)
    if log is not None:
        lines = [
            f'{START + timedelta(seconds=seconds):%Y/%m/%d %H:%M:%S} - '
            f'mmengine - INFO - {message}\n'
            for seconds, message in log
        ]
        (folder / f'{stamp}.log').write_text(''.join(lines))
    return work_dir


def write_lines(path: Path, lines: list[dict]) -> None:
    """Write a file of JSON lines; no file without lines."""
    if not lines:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join(json.dumps(line) + '\n' for line in lines))


def epoch_scalars(
    values: dict[int, float], epochs: int, metric: str = 'pascal_voc/mAP'
) -> list[dict]:
    """Ten iterations per epoch; ``values``: validated epoch -> metric."""
    lines = []
    for epoch in range(1, epochs + 1):
        lines.append(
            dict(lr=0.1, loss=1.0, time=0.1, epoch=epoch, iter=10 * epoch)
            | dict(step=10 * epoch)
        )
        if epoch in values:
            value = {metric: values[epoch]}
            lines.append(value | dict(data_time=0.1, time=0.2, step=epoch))
    return lines


def epoch_log(
    epochs: int, train: float = 10, val: float = 0, ends: float = 0
) -> list[tuple[float, str]]:
    """A log with epoch and validation times, and a last checkpoint."""
    now, lines = 0.0, [(0.0, 'System environment:')]
    for epoch in range(1, epochs + 1):
        now += train
        lines.append((now, f'Epoch(train)  [{epoch}][10/10]  lr: 1.0e-01'))
        if val:
            now += val
            lines.append((now - 1, 'the metric is being computed'))
            lines.append((now, f'Epoch(val) [{epoch}][5/5]  mAP: 0.5'))
    return [*lines, (now + ends, 'Checkpoint written')]


def record(epoch: int, excluded: int = 0, **changes: Any) -> dict[str, Any]:
    """A line of epochs.jsonl, for ten images."""
    return (
        dict(
            epoch=epoch,
            instances=10,
            trained=10 - excluded,
            excluded=excluded,
            newly_excluded=0,
            reincluded=0,
            mastered=excluded,
            forward_only=excluded,
            saved=0.0,
            delta=0.1,
            method='IES',
            start_seconds=0.25,
            train_seconds=5.0,
            collect_seconds=0.125,
            record_seconds=0.0625,
            refresh_seconds=1.0,
            decide_seconds=0.5,
            loss={'loss': 1.0},
        )
        | changes
    )


def write_records(work_dir: Path, records: list[dict]) -> None:
    """``ies/epochs.jsonl``."""
    write_lines(work_dir / 'ies' / 'epochs.jsonl', records)


def write_instances(
    work_dir: Path,
    names: list[str],
    trained: list[list[int]],
    losses: list[list[float]] | None = None,
    first_epoch: int = 1,
) -> None:
    """``ies/instances.npz``; rows are epochs, columns images."""
    rows = np.array(trained, dtype=bool)
    values = np.ones(rows.shape) if losses is None else np.array(losses)
    np.savez(
        work_dir / 'ies' / 'instances.npz',
        identity=np.array(names),
        terms=np.array(['loss_cls', 'loss_bbox']),
        epochs=np.arange(first_epoch, first_epoch + len(rows)),
        losses=np.stack([values / 2, values / 2], axis=2).astype('float32'),
        trained=rows,
    )


def plain_run(
    work_dir: Path, seed: int = 0, values: dict | None = None, **log: float
) -> Path:
    """A finished plain run of four epochs."""
    values = values or {2: 0.5, 4: 0.6}
    return write_start(
        work_dir,
        config_of(seed),
        epoch_scalars(values, 4),
        epoch_log(4, **log),
    )


def ies_run(
    work_dir: Path,
    seed: int = 0,
    values: dict | None = None,
    hook: dict | None = None,
    excluded: tuple[int, ...] = (0, 2, 4, 6),
    saved: float = 0.3,
    method: str = 'IES',
    **log: float,
) -> Path:
    """A finished IES run of four epochs over ten images."""
    values = values or {2: 0.5, 4: 0.6}
    write_records(
        work_dir,
        [
            record(epoch, out, saved=saved, method=method)
            for epoch, out in enumerate(excluded, 1)
        ],
    )
    return write_start(
        work_dir,
        config_of(seed, {'delta': 0.1} | (hook or {})),
        epoch_scalars(values, 4),
        epoch_log(4, **log),
    )
