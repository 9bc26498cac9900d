"""Rescales the schedules of the learning rate, or of another parameter."""

import math
import warnings
from typing import Any

from ies_mm.configuring.reading import type_name
from ies_mm.configuring.rescaling import (
    Lengths,
    Rule,
    distance,
    distances,
    fit,
    place,
    rounded,
    spread,
)

_RULES: dict[str, Rule] = {'periods': distances}


def fit_schedules(schedules: Any, lengths: Lengths) -> Any:
    """Rescale the schedules of a config.

    Args:
        schedules (Any): ``param_scheduler``: one schedule, several, or those
            of several optimisers by name. Their dicts are changed.
        lengths (Lengths): Lengths of the training.

    Returns:
        Any: The same without those that have no room.
    """
    if isinstance(schedules, list | tuple):
        fitted = [fit_schedules(part, lengths) for part in schedules]
        return [part for part in fitted if part != []]
    if not isinstance(schedules, dict):
        return schedules
    if 'type' not in schedules:  # one for each optimiser
        return {
            name: fit_schedules(part, lengths)
            for name, part in schedules.items()
        }
    if _has_no_room(schedules, lengths):
        return []
    _fit_schedule(schedules, lengths)
    return schedules


def schedules_in(schedules: Any) -> list[Any]:
    """The dicts of schedules, wherever ``param_scheduler`` has them."""
    if isinstance(schedules, dict):
        if 'type' in schedules:
            return [schedules]
        schedules = [*schedules.values()]
    if not isinstance(schedules, list | tuple):
        return []
    return [found for part in schedules for found in schedules_in(part)]


def _has_no_room(schedule: Any, lengths: Lengths) -> bool:
    """Whether what needs two steps is left one, which is said."""
    if not _needs_two(schedule, lengths):
        return False
    if _length_of(schedule, lengths.after, lengths) > 1:
        return False
    warnings.warn(
        f'--length leaves one {"epoch" if lengths.by_epoch else "iteration"}, '
        f'in which {type_name(schedule)} changes nothing; it is left out',
        stacklevel=2,
    )
    return True


def _needs_two(schedule: Any, lengths: Lengths) -> bool:
    """Whether it has two steps or more, and no effect in a single one.

    MMEngine's linear and constant schedules would stay at their first factor
    for ever, and a milestone would never be reached.
    """
    steps = _steps(schedule, lengths.before, lengths)
    if isinstance(milestones := schedule.get('milestones'), list | tuple):
        return any(0 < value < steps for value in milestones)
    ramp = type_name(schedule).startswith(('Linear', 'Constant'))
    in_epochs = schedule.get('convert_to_iter_based', False)
    constant = schedule.get('factor') == 1
    return ramp and steps >= 2 and not in_epochs and not constant


def _length_of(schedule: Any, length: int, lengths: Lengths) -> float:
    """The length of a training in the schedule's unit."""
    # The number of iterations of an epoch is not known.
    by_epoch = schedule.get('by_epoch', True)
    return length if by_epoch == lengths.by_epoch else math.inf


def _steps(schedule: Any, length: int, lengths: Lengths) -> float:
    """How many steps it takes within a training of that length."""
    whole = _length_of(schedule, length, lengths)
    return min(schedule.get('end', whole), whole) - schedule.get('begin', 0)


def _fit_schedule(schedule: Any, lengths: Lengths) -> None:
    ratio, before = lengths.ratio, _steps(schedule, lengths.before, lengths)
    needs_two = _needs_two(schedule, lengths)
    _fit_span(schedule, ratio)
    if needs_two:
        _widen(schedule, _length_of(schedule, lengths.after, lengths))
    after = _steps(schedule, lengths.after, lengths)
    # Its gamma applies once per epoch or iteration, whose number changes.
    if 'Exponential' in type_name(schedule):
        schedule['gamma'] = _power(schedule['gamma'], ratio)
    fit(schedule, _RULES, ratio)
    if isinstance(schedule.get('milestones'), list | tuple):
        places = spread(schedule['milestones'], ratio, (before, after))
        schedule['milestones'] = places
    if 'step_size' in schedule:
        _fit_drops(schedule, ratio, before, after)


def _fit_drops(
    schedule: Any, ratio: float, before: float, after: float
) -> None:
    """Rescale regular drops: as many as before or, without room, larger."""
    step = schedule['step_size']
    schedule['step_size'] = near = distance(step, ratio)
    if math.isinf(before):
        return
    drops = (before - 1) // step
    for size in (near, near + 1, near - 1):
        if size and (after - 1) // size == drops:
            schedule['step_size'] = size
            return
    if found := (after - 1) // near:
        # 0.1 is MMEngine's default.
        gamma = schedule.get('gamma', 0.1)
        schedule['gamma'] = float(gamma ** (drops / found))


def _fit_span(schedule: Any, ratio: float) -> None:
    begin, end = schedule.get('begin', 0), schedule.get('end')
    for key in ('T_max', 'total_steps'):
        if schedule.get(key) is not None and begin + schedule[key] == end:
            # Begin and end are rounded separately.
            span = rounded(end, ratio) - rounded(begin, ratio)
            schedule[key] = max(1, span)
        elif schedule.get(key) is not None:
            schedule[key] = distance(schedule[key], ratio)
    for key in ('begin', 'end'):
        if key in schedule:
            schedule[key] = place(schedule[key], ratio)
    if 'end' in schedule:
        # MMEngine refuses a schedule that ends where it begins.
        schedule['end'] = max(schedule['end'], schedule.get('begin', 0) + 1)


def _widen(schedule: Any, whole: float) -> None:
    """Give a schedule two steps within a training of that length."""
    begin, end = schedule.get('begin', 0), schedule.get('end', whole)
    if min(end, whole) - begin >= 2:
        return
    end = min(begin + 2, whole)
    if 'begin' in schedule:
        schedule['begin'] = end - 2
    if 'end' in schedule:
        schedule['end'] = end


def _power(value: float, ratio: float) -> float:
    """Rescale a per-epoch factor so that its total effect is the same."""
    return float(value ** (1 / ratio))
