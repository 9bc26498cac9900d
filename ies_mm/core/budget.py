"""How much to prune in which epochs, for methods that save a given share."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from ies_mm.core.arguments import check_number
from ies_mm.core.standing import Standing

NUDGE = 1e-9
"""Keeps 30 * (1 - 0.1) at 27 despite rounding errors."""

MOST_LEFT_OUT = 0.9
"""The largest part of the instances that may be pruned from an epoch."""


# Keyword-only, so that a subclass can add a field without a default.
@dataclass(frozen=True, kw_only=True)
class Quota:
    """What a schedule needs to know about past and coming epochs.

    Attributes:
        instances (int): Number of instances N.
        epochs (float): Length of the whole training in epochs.
        epochs_able (float): Epochs that may prune.
        epochs_ahead (float): Coming epochs that may prune.
        epochs_annealed (float): Final epochs that train on everything.
        excluded (float): Instance-epochs pruned so far.
        short (float): What the last epoch that may prune lacks of a whole
            one, below 1.
    """

    instances: int = 0
    epochs: float = 0
    epochs_able: float = 0
    epochs_ahead: float = 0
    epochs_annealed: float = 0
    excluded: float = 0
    short: float = 0


@dataclass(frozen=True)
class PruningSchedule:
    r"""Prunes as much as is needed to save a share of the training.

    :math:`R` is what remains to be pruned, :math:`sT` epochs minus what has
    been, and :math:`A` the number of epochs that may prune. The course says
    how much each of them prunes:

    - ``'rising'``: the :math:`k`-th one prunes

      .. math:: R \frac{2k - 1}{A^2 - (k - 1)^2}

      of the instances: few at first, and more and more while the learning
      rate falls (docs/results.md says why). If this line would end above
      the cap, it starts higher.
    - ``'even'``: each prunes the same part.
    - ``'oscillating'``: every second one, including the last, prunes the
      same part; the others train on everything.
    - ``'annealed'``: each prunes the same part, except the last eighth of
      all epochs, which train on everything, as in InfoBatch.

    It falls short if the remaining epochs cannot save that much. If the
    training ends within a pass over the data, A counts the part of it that is
    trained, and this part's share takes the rest.

    Args:
        saved (float): s, the share of all instance-epochs, 0 to 0.9.
        course (str): Defaults to ``'rising'``.
        cap (float): The largest part of the instances that may be pruned
            from an epoch, above 0 to 0.9. Defaults to 0.9.
    """

    saved: float
    course: str = 'rising'
    cap: float = MOST_LEFT_OUT

    def __post_init__(self) -> None:
        check_number('saved', self.saved, 0, MOST_LEFT_OUT)
        check_number('cap', self.cap, 0, MOST_LEFT_OUT)
        if self.course not in COURSES:
            raise ValueError(
                f'course={self.course!r}: give one of {", ".join(COURSES)}'
            )
        if self.cap == 0:
            raise ValueError('cap=0: nothing could be pruned; give more')

    def count(self, quota: Quota) -> int:
        """How many instances to prune from the next epoch."""
        most = math.floor(self.cap * quota.instances + NUDGE)
        # A share at the cap must not be rounded above it.
        return min(round(self.share(quota) * quota.instances), most)

    def share(self, quota: Quota) -> float:
        """Part of the instances to prune from the next epoch."""
        if quota.epochs_ahead <= 0:
            return 0.0
        had = quota.excluded / quota.instances
        # Negative if a resumed run asks for less than was already pruned.
        left = self.saved * quota.epochs - had
        part = COURSES[self.course](left, quota, self.cap)
        return min(max(part, 0.0), self.cap)

    def most(self, quota: Quota) -> float:
        """The largest share that the coming epochs can save.

        Args:
            quota (Quota): Where the training stands.
        """
        part = COURSES[self.course]
        # Only whether an epoch prunes at all counts here, so any amount left
        # to save will do.
        leaving = sum(
            1 - quota.short * (ahead == 1)
            for ahead in range(int(quota.epochs_ahead), 0, -1)
            if part(1.0, replace(quota, epochs_ahead=ahead), self.cap) > 0
        )
        return self.cap * leaving / quota.epochs


def _rising(left: float, quota: Quota, cap: float) -> float:
    able, ahead = quota.epochs_able, quota.epochs_ahead
    # While no image can be judged yet, more epochs are ahead than able.
    behind = max(able - ahead, 0)
    # The odd numbers from 2 * behind + 1 to 2 * able - 1 add up to able**2 -
    # behind**2; a short epoch of length x has 2 * behind + x on average.
    length = 1 - quota.short * (ahead == 1)
    end = max(able, ahead) - quota.short
    line = left * (2 * behind + length) / (end**2 - behind**2)
    return max(line, _start_below(left / (ahead - quota.short), quota, cap))


def _start_below(mean: float, quota: Quota, cap: float) -> float:
    """The start of a line that has this mean and ends at the cap."""
    whole = quota.epochs_ahead - 1
    # Twice as far below the cap as the mean, unless the last epoch is short.
    short = quota.short / whole if whole > 0 else 0.0
    return 2 * mean - cap + short * (cap - mean)


def _even(left: float, quota: Quota, cap: float) -> float:
    return left / (quota.epochs_ahead - quota.short)


def _oscillating(left: float, quota: Quota, cap: float) -> float:
    ahead = int(quota.epochs_ahead)
    # Counted from the end, so that the last epoch that may prune does so.
    return left / ((ahead + 1) // 2 - quota.short) if ahead % 2 else 0.0


def _annealed(left: float, quota: Quota, cap: float) -> float:
    # epochs_ahead already leaves out the epochs that `anneal` reserves. The
    # last epoch, which may be short, prunes nothing in any case.
    last = math.ceil(quota.epochs / 8 - NUDGE) - quota.epochs_annealed
    ahead = quota.epochs_ahead - max(last, 0)
    return left / ahead if ahead > 0 else 0.0


COURSES: dict[str, Callable[[float, Quota, float], float]] = {
    'rising': _rising,
    'even': _even,
    'oscillating': _oscillating,
    'annealed': _annealed,
}
"""(epochs left to save, quota, cap) -> the part to prune next."""


def may_prune(
    epoch: int, max_epochs: int, begin: int = 1, anneal: float = 0.0
) -> bool:
    """Whether the epoch after ``epoch`` may prune.

    Args:
        epoch (int): The epoch just trained, from 1.
        max_epochs (int): Epochs of the whole training.
        begin (int): First epoch after which instances may be pruned.
        anneal (float): Final part of the epochs that trains on everything
            (paper, appendix B: 0.1 for ImageNet).
    """
    return begin <= epoch < _last_selected(max_epochs, anneal)


def _last_selected(max_epochs: int, anneal: float) -> int:
    """The last epoch, from 1, that is not annealed."""
    return math.floor(max_epochs * (1 - anneal) + NUDGE)


@dataclass(frozen=True)
class PruningPeriod:
    """The epochs of a training run that may prune.

    Attributes:
        epochs (float): Epochs of the whole training.
        first (int): The first epoch after which instances can be pruned.
        begin (int): See :func:`may_prune`.
        anneal (float): See :func:`may_prune`.
        last (float): See :class:`Standing`.
    """

    epochs: float
    first: int
    begin: int = 1
    anneal: float = 0.0
    last: float = 1.0

    def may_prune(self, epoch: int) -> bool:
        """Whether the epoch after ``epoch`` may prune."""
        return may_prune(epoch, int(self.epochs), self.begin, self.anneal)

    def ahead(self, epoch: int) -> int:
        """How many epochs after ``epoch`` may prune."""
        last = _last_selected(int(self.epochs), self.anneal)
        return max(0, last - max(epoch, self.begin))

    @property
    def able(self) -> int:
        """How many epochs may prune."""
        return self.ahead(self.first)

    @property
    def shortest(self) -> float:
        """Length in epochs of the shortest training that can prune."""
        if self.anneal == 1:
            return math.inf
        first = max(self.first, self.begin)
        about = math.ceil((first + 1 - NUDGE) / (1 - self.anneal))
        # Rounding may shift it by one either way, so try the neighbours.
        lengths = range(max(first, about - 1), about + 2)
        able = (
            length
            for length in lengths
            if may_prune(first, length, self.begin, self.anneal)
        )
        return next(able, lengths.stop)

    def quota(self, standing: Standing) -> Quota:
        """The quota of a training run that stands here."""
        annealed = self.epochs - _last_selected(int(self.epochs), self.anneal)
        return Quota(
            instances=standing.instances,
            epochs=self.epochs - (1 - self.last),
            epochs_able=self.able,
            epochs_ahead=self.ahead(standing.epoch),
            epochs_annealed=annealed,
            excluded=standing.excluded,
            short=0.0 if annealed else 1 - self.last,
        )
