"""A hook that times training, for the benchmark of whole trainings."""

import json
import resource
import time
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner


@HOOKS.register_module()
class TrainingSeconds(Hook):
    """Writes ``seconds.json``: wall and CPU time without validations.

    It includes everything else: data loading, the work between epochs,
    checkpoints. CPU time is of this process only.
    """

    priority = 'HIGHEST'

    def before_train(self, runner: Runner) -> None:
        """Start the clocks."""
        self._start = _now()

    def before_val(self, runner: Runner) -> None:
        """Stop the clocks."""
        self._stopped = _now()

    def after_val(self, runner: Runner) -> None:
        """Resume the clocks."""
        for key, now in _now().items():
            self._start[key] += now - self._stopped[key]

    def after_train(self, runner: Runner) -> None:
        """Write the seconds."""
        spent: dict[str, Any] = {
            key: now - self._start[key] for key, now in _now().items()
        }
        path = Path(runner.work_dir, 'seconds.json')
        path.write_text(json.dumps(spent))


def _now() -> dict[str, float]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        'wall': time.perf_counter(),
        'cpu': usage.ru_utime + usage.ru_stime,
    }
