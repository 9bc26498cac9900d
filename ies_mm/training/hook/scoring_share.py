"""The time spent on scoring, relative to that of the training."""

import logging
import math

MOST = 0.05
"""The share of the training time above which to warn."""

SETTLED = 2
"""Passes before a warning; the first also starts workers."""


class ScoringShare:
    """Adds up this process's seconds of training and of scoring.

    Args:
        logger (Logger): Where to warn, once.
        advice (str): How to score pruned images less often.
    """

    def __init__(self, logger: logging.Logger, advice: str) -> None:
        self._logger = logger
        self._advice = advice
        self._training = self._scoring = 0.0
        self._passes = 0
        self._warned = False

    def add(self, training: float, scoring: float, every: int | None) -> float:
        """Add an epoch, and warn if scoring takes too long.

        Args:
            training (float): Seconds of its training steps.
            scoring (float): Seconds of the scoring after it; 0 for none.
            every (int, optional): ``Standing.scored_every``. None for a
                method that scores each batch before it trains: no warning.

        Returns:
            float: Seconds of scoring so far, divided by those of training.
        """
        self._training += training
        self._scoring += scoring
        self._passes += scoring > 0
        share = self._scoring / max(self._training, 1e-9)
        settled = self._passes >= SETTLED and every is not None
        if settled and share > MOST and not self._warned:
            self._warned = True
            self._warn(share, every or 0)
        return share

    def _warn(self, share: float, every: int) -> None:
        advice = self._advice
        if every:
            interval = math.ceil(every * share / MOST)
            advice = f'scoring=dict(interval={interval}) brings it below that'
        self._logger.warning(
            f'scoring images by forward passes takes {share:.0%} of the '
            f'training time so far, above {MOST:.0%}; {advice}'
        )
