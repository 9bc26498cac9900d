"""Short trainings on this device: do they end, and do they prune?"""

import json
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from demo import DATA, make_data

EPOCHS = 8
SIDE_BY_SIDE = 8
METHODS = ('ies', 'infobatch', 'soft_ies')
PRECISION: dict[str, list[str]] = {
    'float32': [],
    'float16': ['--amp'],
    'bfloat16': ['--amp'],
}
"""Options of ``tools/train.py``; bfloat16 has one more."""


def run_trainings(out: Path, device: str, rehearse: bool) -> None:
    """Train every combination; write ``works/NAME.json`` for each."""
    if not DATA.exists():
        make_data(24 if rehearse else 160)
    (out / 'works').mkdir(parents=True, exist_ok=True)
    jobs = [
        (method, precision)
        for method in METHODS
        for precision in PRECISION
        if not rehearse or (method, precision) == ('ies', 'float32')
    ]
    with ThreadPoolExecutor(1 if rehearse else SIDE_BY_SIDE) as pool:
        for found in pool.map(lambda job: _train(out, *job), jobs):
            name = f'{found["method"]}-{found["precision"]}.json'
            (out / 'works' / name).write_text(json.dumps(found, indent=1))
            print(json.dumps(found), flush=True)


def _train(out: Path, method: str, precision: str) -> dict[str, Any]:
    folder = 'methods/' if method != 'ies' else ''
    work_dir = out / 'trainings' / f'{method}-{precision}'
    command = [
        *(sys.executable, 'tools/train.py'),
        f'configs/{folder}{method}_faster_rcnn_r18_demo.py',
        *('--work-dir', str(work_dir), *PRECISION[precision]),
        *('--cfg-options', f'train_cfg.max_epochs={EPOCHS}'),
    ]
    if precision == 'bfloat16':
        command.append('optim_wrapper.dtype=bfloat16')
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False
    )
    said = (ended.stdout + ended.stderr).strip().split('\n')[-1]
    found = dict(method=method, precision=precision, status=ended.returncode)
    records = work_dir / 'ies' / 'epochs.jsonl'
    if ended.returncode or not records.exists():
        return found | dict(passed=False, why=said[:300])
    return found | _verdict(records)


def _verdict(path: Path) -> dict[str, Any]:
    records = [json.loads(line) for line in path.read_text().splitlines()]
    pruned = max(record['excluded'] for record in records)
    losses = [value for r in records for value in r['loss'].values()]
    finite = all(
        value is not None and math.isfinite(value) for value in losses
    )
    return dict(
        passed=finite and len(records) == EPOCHS and pruned > 0,
        epochs=len(records),
        pruned=pruned,
        finite=finite,
        saved=records[-1]['saved'],
    )
