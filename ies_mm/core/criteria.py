"""When is an instance mastered?"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ies_mm.core.arguments import check_integer
from ies_mm.core.differences import flatness
from ies_mm.core.history import LossHistory
from ies_mm.core.strata import ranks_within
from ies_mm.core.terms import Terms, check_terms, columns, judged, width
from ies_mm.core.threads import one_thread
from ies_mm.core.thresholds import Progress, Threshold, build_threshold

LONGEST_WINDOW = 1000
"""The most losses kept in memory for every image and term."""

CHUNK = 1 << 15
"""Instances judged at once: their float64 scratch memory fits in a cache."""


@dataclass(frozen=True)
class Criterion:
    """The paper's mastered criterion (section 3.1, eq. 3).

    An instance is mastered when the mean of its last ``window`` absolute
    differences of order ``order`` is below ``delta``. As in the authors'
    code, this takes ``window + 1`` differences, i.e. ``order + window + 1``
    observations: six by default.

    Args:
        delta (float, dict or Threshold): Threshold in units of the loss, or
            how to set it; see :mod:`ies_mm.core.thresholds`. 0 masters
            nothing.
        order (int): 0 (the loss itself) to 3. Defaults to 2, as in the paper.
        window (int): Differences averaged, 1 to 1000. Defaults to 3.
        terms (str, sequence of str or dict): What to judge. ``'sum'``: the
            summed loss; ``'all'``: every term must be mastered; ``'any'``:
            at least one must be; names: the sum of these terms; a dict from
            name to weight: their weighted sum. Defaults to ``'sum'``.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range.
    """

    delta: float | dict | Threshold
    order: int = 2
    window: int = 3
    terms: Terms = 'sum'

    def __post_init__(self) -> None:
        build_threshold(self.delta)
        check_integer('order', self.order, 0, 3)
        check_integer('window', self.window, 1, LONGEST_WINDOW)
        check_terms(self.terms)

    @property
    def depth(self) -> int:
        """Number of observations that a decision reads."""
        return self.order + self.window

    @property
    def needed(self) -> int:
        """Number of observations before an instance can be mastered."""
        return self.depth + 1

    @property
    def threshold(self) -> Threshold:
        """The threshold that ``delta`` describes."""
        return build_threshold(self.delta)

    def mastered(
        self,
        history: LossHistory,
        names: Sequence[str],
        progress: Progress | None = None,
    ) -> Tensor:
        """Judge every instance.

        Args:
            history (LossHistory): At least ``depth`` observations deep.
            names (sequence of str): Names of its T terms.
            progress (Progress, optional): Where the training stands. Defaults
                to None, which is enough if ``delta`` is a number.

        Returns:
            Tensor: bool (N,).

        Raises:
            ValueError: ``terms`` names a term that the model does not have.
        """
        return self.judge(history, names, progress)[0]

    @one_thread()
    def judge(
        self,
        history: LossHistory,
        names: Sequence[str],
        progress: Progress | None = None,
        able: Tensor | None = None,
        strata: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Judge every instance and return the limits it was judged by.

        Args:
            history (LossHistory): As for :meth:`mastered`.
            names (sequence of str): As for :meth:`mastered`.
            progress (Progress, optional): As for :meth:`mastered`.
            able (Tensor, optional): bool (N,), False for instances that the
                next epoch trains, mastered or not. A counting threshold
                finds its level among the others, or among all if these are
                too few. Defaults to None, all are able.
            strata (Tensor, optional): int64 (N,), classes; instances are
                compared only within their own. Defaults to None, one class.

        Returns:
            tuple: The mastered instances, bool (N,), those of them to prune,
            bool (N,), and the flatness limits in units of the loss, float64
            (C,); NaN with strata, since each has its own.
        """
        width = self.width(names)
        if progress is None:
            progress = Progress(torch.zeros(width, dtype=torch.double))
        scale = self.threshold.scale(progress)
        scores = self.scores(history, names, scale)
        if strata is not None:
            scores = ranks_within(scores, strata)
            scale = torch.full_like(scale, torch.nan)
        if able is not None:
            out, level = self.threshold.mastered(scores[able], progress)
            # Infinite if the budget needs more than the able ones: then all
            # are judged.
            if level != torch.inf:
                # Ties are broken among the able ones only; the others are
                # trained anyway.
                mastered = scores < level
                mastered[able] = out
                return mastered, mastered & able, level * scale
        mastered, level = self.threshold.mastered(scores, progress)
        return mastered, mastered, level * scale

    def flatness(self, values: Tensor, names: Sequence[str]) -> Tensor:
        r""":math:`m_i` of the judged columns.

        Args:
            values (Tensor): (K, N, T), K >= ``depth``, newest row last.
            names (sequence of str): Names of the T terms.

        Returns:
            Tensor: float64 (N, C); C = T if ``terms`` is ``'all'`` or
            ``'any'``, else 1.
        """
        judged = self.judged(values[-self.depth :], names)
        return flatness(judged, self.order, self.window)

    def score(
        self, values: Tensor, names: Sequence[str], scale: Tensor
    ) -> Tensor:
        """One number per instance, to compare with the threshold's level.

        Args:
            values (Tensor): As for :meth:`flatness`.
            names (sequence of str): As for :meth:`flatness`.
            scale (Tensor): (C,), the unit of each column.

        Returns:
            Tensor: float64 (N,). Of several columns, the least flat one if
            ``terms='all'``, the flattest if ``'any'``.
        """
        flat = self.flatness(values, names) / scale
        if flat.shape[1] == 1:
            return flat[:, 0]
        return flat.amin(dim=1) if self.terms == 'any' else flat.amax(dim=1)

    @one_thread()
    def scores(
        self, history: LossHistory, names: Sequence[str], scale: Tensor
    ) -> Tensor:
        """:meth:`score` of a whole history.

        Args:
            history (LossHistory): At least ``depth`` observations deep.
            names (sequence of str): Names of its T terms.
            scale (Tensor): As for :meth:`score`.

        Returns:
            Tensor: float64 (N,); NaN where there are too few observations.
        """
        scores = torch.empty(history.instances, dtype=torch.double)
        chunks = history.values.split(CHUNK, dim=1)
        for chunk, into in zip(chunks, scores.split(CHUNK), strict=True):
            into.copy_(self.score(chunk, names, scale))
        # No comparison with NaN holds, so such an instance is never mastered.
        return scores.masked_fill_(history.count < self.needed, torch.nan)

    def judged(self, values: Tensor, names: Sequence[str]) -> Tensor:
        """Losses of the judged columns, float64 (..., C)."""
        return judged(self.terms, values, names)

    def width(self, names: Sequence[str]) -> int:
        """C, the number of judged columns."""
        return width(self.terms, names)

    def columns(self, names: Sequence[str]) -> list[int]:
        """Indices of the judged terms among ``names``."""
        return columns(self.terms, names)
