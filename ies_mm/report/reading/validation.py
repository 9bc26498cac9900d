"""The validation metrics of a run, in order."""

from collections.abc import Iterator, Sequence
from typing import Any

from ies_mm.report.reading.parts import Part
from ies_mm.report.values import is_number, printable

Points = dict[str, dict[int, float]]
"""Metric -> step -> value."""

VAL_INTERVAL = 1000
"""MMEngine's default in an iteration-based loop."""

NO_METRICS = {'step', 'time', 'data_time', 'memory'}


def validation_points(parts: Sequence[Part]) -> Points:
    """The metrics of a run's parts.

    A resumed part takes the place of what the parts before it did later than
    its checkpoint.
    """
    points: Points = {}
    for part in parts:
        start = _start(part)
        for steps in points.values():
            for step in [step for step in steps if step >= start]:
                del steps[step]
        for step, line in _validations(part):
            for name, value in line.items():
                if _is_metric(name, value):
                    points.setdefault(printable(name), {})[step] = float(value)
    return {
        name: dict(sorted(steps.items()))
        for name, steps in points.items()
        if steps
    }


def _start(part: Part) -> int:
    """The first epoch or logged iteration of a part."""
    unit = 'iter' if counts_iterations(part.config) else 'epoch'
    lines = part.training_lines
    return int(lines[0].get(unit, 0)) if lines else 0


def counts_iterations(config: dict[str, Any]) -> bool:
    """Whether the training loop counts iterations, not epochs."""
    return (config.get('train_cfg') or {}).get('max_iters') is not None


def _validations(part: Part) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield validation lines, each with its epoch or iteration."""
    unit = 'iter' if counts_iterations(part.config) else 'epoch'
    trained = last = 0
    if unit == 'iter' and part.begins_late:
        trained = part.first_iteration - part.logger_interval
    for line in part.lines:
        if 'iter' in line:
            trained = line.get(unit, trained)
        elif not any(_is_metric(*entry) for entry in line.items()):
            # PerImageLossHook's means; they must not take a validation's
            # place.
            continue
        elif _steps_are(unit, part.config):
            yield int(line['step']), line
        elif unit == 'iter':
            # LoggerHook's default step is the epoch, which stays 0.
            last = _place(part, max(trained, last + 1))
            yield last, line
        else:
            yield trained, line


def _place(part: Part, least: int) -> int:
    """The first iteration from ``least`` on after which MMEngine validates.

    The last training line may be up to a logging interval older.
    """
    loop = part.config['train_cfg']
    if loop.get('dynamic_intervals'):
        return least
    interval = loop.get('val_interval') or VAL_INTERVAL
    end = part.log.announced or int(loop['max_iters'])
    # It also validates at the end.
    return max(least, min(-(-least // interval) * interval, end))


def _steps_are(unit: str, config: dict[str, Any]) -> bool:
    """Whether LoggerHook writes this unit as the step of a validation."""
    logger = (config.get('default_hooks') or {}).get('logger') or {}
    by_epoch = logger.get('log_metric_by_epoch', True)
    return by_epoch == (unit == 'epoch')


def _is_metric(name: str, value: Any) -> bool:
    if name.startswith('ies/'):  # from PerImageLossHook
        return False
    return name.rpartition('/')[2] not in NO_METRICS and is_number(value)
