"""How many epochs a training run needs, and what to say of a shorter one."""

from dataclasses import replace

from ies_mm.core.budget import NUDGE, PruningPeriod, PruningSchedule
from ies_mm.core.criteria import Criterion
from ies_mm.core.standing import Standing

WIDTH = 3
"""Epochs averaged for one level of an image's loss."""

ORDERS = (0, 1, 2, 3)
"""Of the criteria that stand beside the one looked at."""

SMOOTH = 5
"""Losses averaged by another of them."""


def shortest(criterion: Criterion) -> int:
    """Epochs of a run in which the criterion could leave something out.

    Args:
        criterion (Criterion): The one looked at.
    """
    return criterion.needed + 1


def with_foresight(criterion: Criterion) -> int:
    """Epochs of a run in which it can be compared with what comes after.

    Args:
        criterion (Criterion): The one looked at.
    """
    slowest = max(ORDERS) + criterion.window
    return max(slowest, SMOOTH) + 1 + 4 * WIDTH


def too_short(name: str, period: PruningPeriod, criterion: Criterion) -> str:
    """What to say of a training that cannot leave anything out; else ''.

    Args:
        name (str): Of the method.
        period (PruningPeriod): Which epochs may leave something out.
        criterion (Criterion): Its own.
    """
    if period.epochs >= period.shortest:
        return ''
    return (
        f'{name} cannot exclude anything in {period.epochs} epochs: with '
        f'order={criterion.order}, window={criterion.window}, '
        f'begin={period.begin} and anneal={period.anneal} it needs '
        f'{period.shortest} or more. If the data set is repeated, count the '
        'repeats as epochs instead (RepeatDataset: times=1, max_epochs '
        'multiplied).'
    )


def too_much(
    schedule: PruningSchedule, period: PruningPeriod, standing: Standing
) -> str:
    """What to say where a training cannot save so much; else ''.

    Args:
        schedule (PruningSchedule): What is to be left out.
        period (PruningPeriod): Which epochs may leave something out.
        standing (Standing): Where the training begins, or goes on.
    """
    had = standing.excluded / max(standing.instances, 1) / period.epochs
    first = max(period.first, standing.epoch)
    most = had + schedule.most(period.quota(replace(standing, epoch=first)))
    if schedule.saved <= most + NUDGE:
        return ''
    return (
        f'saved={schedule.saved}: these {period.epochs} epochs can save '
        f'{most:.0%} at most; train longer, or ask for less'
    )


def planned(
    schedule: PruningSchedule, period: PruningPeriod, standing: Standing
) -> str:
    """What each epoch will train, for the log; '' where nothing is saved.

    Args:
        schedule (PruningSchedule): What is to be left out.
        period (PruningPeriod): Which epochs may leave something out.
        standing (Standing): Where the training begins, or goes on.
    """
    first = max(period.first, standing.epoch)
    excluded = standing.excluded / max(standing.instances, 1)
    trained: list[float] = []
    for epoch in range(first, first + period.ahead(first)):
        here = replace(standing, instances=1, epoch=epoch, excluded=excluded)
        share = schedule.share(period.quota(here))
        excluded += share
        trained.append(1 - share)
    if not trained or min(trained) == 1:
        return ''
    parts = ' '.join(f'{100 * part:.0f}' for part in trained)
    return (
        f'from epoch {first + 1} on the epochs train this percentage of the '
        f'images: {parts}'
    )
