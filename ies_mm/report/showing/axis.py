"""The common horizontal axis of several runs.

With an iteration-based loop, a run with pruning needs fewer iterations for a
pass over the data, so its iterations are converted to passes if possible: the
dataset's size is known, no wrapper repeats images, and there is one process.
"""

from collections.abc import Sequence

import numpy as np

from ies_mm.report.reading.dumped_config import flatten
from ies_mm.report.reading.runs import Run

PASS = 'pass over the data'


def axis_label(runs: Sequence[Run]) -> str:
    """What the common axis of these runs counts."""
    units = {run.progress.unit for run in runs}
    if units == {'epoch'}:
        return 'epoch'
    if _images(runs) is not None:
        return PASS
    return ' or '.join(sorted(units))


def positions(
    run: Run, steps: Sequence[int], runs: Sequence[Run]
) -> list[float]:
    """Positions of one run's steps on the common axis."""
    images = _images(runs)
    if run.progress.unit == 'epoch' or images is None:
        return [float(step) for step in steps]
    batch = run.config['train_dataloader']['batch_size']
    if not run.records:
        return [step * batch / images for step in steps]
    trained = [record['trained'] for record in run.records]
    # Epochs before the first record pruned nothing. Assume that an incomplete
    # pass is like the one before.
    whole = [images] * (run.records[0]['epoch'] - 1)
    ends = np.cumsum([0, *whole, *trained, trained[-1]]) / batch
    passes = np.interp(steps, ends, np.arange(len(ends)))
    return [float(position) for position in passes]


def _images(runs: Sequence[Run]) -> int | None:
    """Dataset size, if iterations can be converted to passes, else None."""
    counts = {r['instances'] for run in runs for r in run.records}
    if len(counts) != 1 or not all(map(_one_process, runs)):
        return None
    return int(counts.pop())


def _one_process(run: Run) -> bool:
    loader = run.config.get('train_dataloader') or {}
    keys = {key.rpartition('.')[2] for key in flatten(loader)}
    return (
        isinstance(loader.get('batch_size'), int)
        and run.config.get('launcher', 'none') == 'none'
        # Arguments of RepeatDataset and ClassBalancedDataset.
        and not keys & {'times', 'oversample_thr'}
    )
