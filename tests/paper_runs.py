"""Synthetic runs of tools/paper.py's experiments."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from work_dirs import (
    config_of,
    epoch_log,
    epoch_scalars,
    record,
    write_records,
    write_start,
)

EPOCHS, IMAGES = 12, 20
METRIC = 'accuracy/top1'
GROUPED = (
    'group/accuracy',
    *('group/reddish/accuracy', 'group/reddish/recall'),
    *('group/untinted/accuracy', 'group/untinted/recall'),
    'group/demographic_parity_difference',
)
VALIDATED = (3, 6, 9, 12)


class Made:
    """A run's content, and its files.

    Attributes:
        losses (ndarray): (E, N).
        excluded (ndarray): bool (E, N).
        correct (ndarray): (E, N).
        accuracy (dict): Validated epoch -> accuracy.
        groups (dict): Metric of Table 14 -> its last value.
        dynamics (list of dict): Lines of dynamics.jsonl.
    """

    def __init__(self, work_dir: Path, number: int, hook: dict | None) -> None:
        draw = np.random.default_rng(number)
        shape = (EPOCHS, IMAGES)
        fall = np.exp(-np.arange(EPOCHS) / 4)[:, None]
        self.losses = (fall * draw.gamma(2.0, size=shape)).astype(np.float32)
        self.correct = (draw.random(shape) < 0.7).astype(np.float32)
        dry = (hook or {}).get('dry_run') or hook is None
        self.excluded = (draw.random(shape) < 0.3) & (not dry)
        self.excluded[:5] = False
        self.accuracy = {e: round(draw.uniform(30, 90), 2) for e in VALIDATED}
        self.dynamics = list(self._dynamics(draw))
        self.groups = {key: round(draw.uniform(0, 1), 4) for key in GROUPED}
        self.saved = float(self.excluded.mean())
        self.wall = 100.0 + number
        self._write(work_dir, hook)

    def _dynamics(self, draw: Any) -> Any:
        trained = (~self.excluded).sum(axis=1).cumsum()
        for epoch in range(1, EPOCHS + 1):
            measured = epoch in VALIDATED
            norm, loss, sam, top = draw.uniform(0.1, 9, 4).tolist()
            yield dict(
                epoch=epoch,
                instances=int(trained[epoch - 1]),
                gradient_norm=norm,
                loss=loss,
                sam=sam if measured else None,
                top_eigenvalue=top if measured else None,
            )

    def _write(self, work_dir: Path, hook: dict | None) -> None:
        config = config_of(0, hook, train_cfg__max_epochs=EPOCHS)
        scalars = epoch_scalars(self.accuracy, EPOCHS, METRIC)
        for line in scalars:
            if METRIC in line:
                last = line['step'] == EPOCHS
                line |= self.groups if last else dict.fromkeys(GROUPED, 0.0)
        log = epoch_log(EPOCHS, train=self.wall / EPOCHS)
        write_start(work_dir, config, scalars, log)
        folder = work_dir / 'ies'
        folder.mkdir()
        lines = [json.dumps(line) + '\n' for line in self.dynamics]
        (folder / 'dynamics.jsonl').write_text(''.join(lines))
        if hook is None:
            return
        counts = self.excluded.sum(axis=1).tolist()
        write_records(
            work_dir,
            [
                record(
                    epoch,
                    out,
                    instances=IMAGES,
                    trained=IMAGES - out,
                    mastered=out + 1,
                    saved=self.saved,
                )
                for epoch, out in enumerate(counts, 1)
            ],
        )
        np.savez(
            folder / 'instances.npz',
            identity=np.array([f'{k}.jpg' for k in range(IMAGES)]),
            terms=np.array(['loss']),
            epochs=np.arange(1, EPOCHS + 1),
            losses=self.losses[:, :, None],
            trained=~self.excluded,
            correct=self.correct,
        )
