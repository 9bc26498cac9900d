"""How much of a training's time goes into scoring by forward passes."""

import logging
import math

MOST = 0.05
"""The share of the training time above which a warning is due."""

SETTLED = 2
"""Passes after which it is: the first also starts workers."""


class ScoringShare:
    """Adds up seconds of training and of scoring, in this process.

    Args:
        logger (Logger): Where to warn, once.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._training = self._scoring = 0.0
        self._passes = 0
        self._warned = False

    def add(self, training: float, scoring: float, every: int | None) -> float:
        """Take an epoch.

        Args:
            training (float): Seconds of its training steps.
            scoring (float): Seconds of the scoring behind it; 0 for none.
            every (int, optional): See :class:`Standing`. None for a method
                that scores each batch before it trains; nothing is said then.

        Returns:
            float: Seconds of scoring so far over those of training.
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
        advice = (
            "refresh_interval=dict(type='Spaced', cap=8) scores less often, "
            "and with by='training' not at all"
        )
        if every:
            interval = math.ceil(every * share / MOST)
            advice = f'scoring=dict(interval={interval}) brings it below that'
        self._logger.warning(
            f'scoring images by forward passes takes {share:.0%} of the '
            f'training time so far, above {MOST:.0%}; {advice}'
        )
