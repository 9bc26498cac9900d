"""How many epochs a training run needs, and messages about shorter ones."""

from dataclasses import replace

from ies_mm.core.budget import PruningPeriod, PruningSchedule
from ies_mm.core.criteria import Criterion
from ies_mm.core.standing import Standing

WIDTH = 3
"""Epochs averaged into one level of an image's loss."""

ORDERS = (0, 1, 2, 3)
"""Orders of the criteria compared with the one in question."""

SMOOTH = 5
"""Losses averaged by another of them."""

ROUNDED = 0.005
"""A share this close is reached: epochs prune whole images, and the warning
gives whole percentages."""


def shortest(criterion: Criterion) -> int:
    """Number of epochs from which on the criterion could prune.

    Args:
        criterion (Criterion): The criterion in question.
    """
    # A decision takes effect in the epoch after it.
    return criterion.needed + 1


def with_foresight(criterion: Criterion) -> int:
    """Number of epochs needed to compare decisions with later losses.

    Args:
        criterion (Criterion): The criterion in question.
    """
    slowest = max(ORDERS) + criterion.window
    # A decrease is measured between two spans of 2 * WIDTH epochs, which must
    # not overlap (measures.further_decreases).
    return max(slowest, SMOOTH) + 1 + 4 * WIDTH


def too_short(name: str, period: PruningPeriod, criterion: Criterion) -> str:
    """The warning for a training run too short to prune; else ''.

    Args:
        name (str): Name of the method.
        period (PruningPeriod): The epochs that may prune.
        criterion (Criterion): The method's.
    """
    if period.epochs >= period.shortest:
        return ''
    return (
        f'{name} cannot prune anything in {period.epochs} epochs: with '
        f'order={criterion.order}, window={criterion.window}, '
        f'begin={period.begin} and anneal={period.anneal} it needs '
        f'{period.shortest} or more. If the dataset is repeated, count the '
        'repeats as epochs instead (RepeatDataset: times=1, max_epochs '
        'multiplied).'
    )


def all_too_late(name: str, period: PruningPeriod) -> str:
    """The warning for a training run that ends before it prunes; else ''.

    Args:
        name (str): Name of a method that needs no losses to prune.
        period (PruningPeriod): The epochs that may prune.
    """
    if period.able:
        return ''
    anneal = f' and anneal={period.anneal}' if period.anneal else ''
    return (
        f'{name} cannot prune anything in {period.epochs} epochs with '
        f'begin={period.begin}{anneal}; train longer or give less'
    )


def too_much(
    schedule: PruningSchedule, period: PruningPeriod, standing: Standing
) -> str:
    """The warning for a training run that cannot save that much; else ''.

    Args:
        schedule (PruningSchedule): How much to prune.
        period (PruningPeriod): The epochs that may prune.
        standing (Standing): Where the training begins or resumes.
    """
    first = max(period.first, standing.epoch)
    quota = period.quota(replace(standing, epoch=first))
    had = standing.excluded / max(standing.instances, 1) / quota.epochs
    most = had + schedule.most(quota)
    if schedule.saved <= most + ROUNDED:
        return ''
    return (
        f'saved={schedule.saved}: these {period.epochs} epochs can save '
        f'{most:.0%} at most; train longer or ask for less'
    )


def planned(
    schedule: PruningSchedule, period: PruningPeriod, standing: Standing
) -> str:
    """How much each epoch will train, for the log; '' if nothing is saved.

    Args:
        schedule (PruningSchedule): How much to prune.
        period (PruningPeriod): The epochs that may prune.
        standing (Standing): Where the training begins or resumes.
    """
    first = max(period.first, standing.epoch)
    excluded = standing.excluded / max(standing.instances, 1)
    trained: list[float] = []
    for epoch in range(first, first + period.ahead(first)):
        # With one instance, shares are instance-epochs.
        here = replace(standing, instances=1, epoch=epoch, excluded=excluded)
        share = schedule.share(period.quota(here))
        excluded += share
        trained.append(1 - share)
    if not trained or min(trained) == 1:
        return ''
    parts = ' '.join(f'{100 * part:.0f}' for part in trained)
    return (
        f'planned to train, in % of the images, from epoch {first + 1} on: '
        f'{parts}'
    )
