"""Results so far of the paper's training and its controls."""

import json
from pathlib import Path
from typing import Any

from gpu_checks.cifar import ACCURACY
from gpu_checks.paper_configs import IES, PLAIN, RANDOM, SHORT, folder_of

PLANNED = 'planned.json'

FIRST, SECOND = (PLAIN, IES), (RANDOM, SHORT)
"""The second wave needs to know what IES pruned."""


def rows(out: Path) -> list[dict[str, Any]]:
    """The results so far of every training."""
    found = []
    for name in (*FIRST, *SECOND):
        for work_dir in sorted(out.glob(f'{folder_of(name, "[0-9]")}')):
            lines = lines_of(work_dir / ACCURACY)
            if not lines:
                continue
            saved = saved_by(work_dir)
            row: dict[str, Any] = dict(name=name)
            row |= dict(seed=int(work_dir.name.split('_')[-1]))
            row |= dict(epochs=len(lines), saved=saved)
            row |= dict(planned=json.loads((work_dir / PLANNED).read_text()))
            for key in ('clean', 'augmented'):
                row[key] = lines[-1][key]
                row[f'{key}_best'] = max(line[key] for line in lines)
            row |= dict(seconds=lines[-1]['seconds'])
            found.append(row)
    plain = {row['seed']: row for row in found if row['name'] == PLAIN}
    for row in found:
        # Only if neither it nor the plain training was cut off.
        whole = (row, plain.get(row['seed'], row))
        if all(one['epochs'] == one['planned'] for one in whole):
            row['speed_up'] = whole[1]['seconds'] / row['seconds']
        row['limit'] = 1 / (1 - row['saved'] * 2 / 3)
    return found


def saved_by(work_dir: Path) -> float:
    """Excluded instance-epochs / all, so far; 0 without records."""
    records = lines_of(work_dir / 'ies' / 'epochs.jsonl')
    return float(records[-1]['saved']) if records else 0.0


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON lines file; none without the file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]
