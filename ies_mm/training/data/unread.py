"""Images that a data set cannot give, and shows others in the place of."""

import logging
from collections import Counter

import torch
from torch import Tensor

from ies_mm.training.data.identity import InstanceMap
from ies_mm.training.data.names import readable

OFTEN = 3
"""Epochs without an image after which it may be named."""


class Unread:
    """Names the images that cannot be read, each once.

    A pipeline that returns None has the data set fetch another image. A crop
    that shows no object does so by chance; an image that was missed in three
    epochs, and in half of all that asked for it, does not.

    Args:
        instances (InstanceMap): Numbering of the data set.
        logger (Logger): Where to name them.
    """

    def __init__(self, instances: InstanceMap, logger: logging.Logger) -> None:
        self._instances = instances
        self._logger = logger
        self._missed: Counter[int] = Counter()
        self._read: Counter[int] = Counter()
        self._named: set[int] = set()

    def note(self, missed: set[int], *seen: Tensor) -> None:
        """Take an epoch.

        Args:
            missed (set of int): Instances in whose place another came.
            *seen (Tensor): int64, those that were shown.
        """
        if not (missed or self._missed):
            return
        shown = set(torch.cat(seen).tolist())
        self._missed.update(missed - shown)
        self._read.update(self._missed.keys() & shown)
        new = [
            number
            for number, times in sorted(self._missed.items())
            if times >= max(OFTEN, self._read[number])
            and number not in self._named
        ]
        if new:
            self._name(new)

    def _name(self, numbers: list[int]) -> None:
        self._named.update(numbers)
        paths = [readable(self._instances.paths()[i]) for i in numbers[:5]]
        more = ' ...' if len(numbers) > 5 else ''
        self._logger.warning(
            f'{len(numbers)} images could not be loaded in {OFTEN} epochs or '
            f'more: {", ".join(paths)}{more}; the pipeline gave None for '
            'them, and others were trained in their place (each is named once)'
        )
