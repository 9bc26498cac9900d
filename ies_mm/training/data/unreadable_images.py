"""Images that a dataset cannot load and replaces by others."""

import logging
from collections import Counter

import torch
from torch import Tensor

from ies_mm.training.data.identity import InstanceMap
from ies_mm.training.data.names import readable

OFTEN = 3
"""Epochs that must miss an image before it is named."""


class Unread:
    """Warns about the images that cannot be read, once each.

    If a pipeline returns None, the dataset fetches another image. A crop
    without objects can cause this by chance; missing an image in three
    epochs, and in half of those that requested it, is no accident.

    Args:
        instances (InstanceMap): Numbering of the dataset.
        logger (Logger): Where to warn.
    """

    def __init__(self, instances: InstanceMap, logger: logging.Logger) -> None:
        self._instances = instances
        self._logger = logger
        self._missed: Counter[int] = Counter()
        self._read: Counter[int] = Counter()
        self._named: set[int] = set()

    def note(self, missed: set[int], *seen: Tensor) -> None:
        """Count an epoch's missed images; warn about new ones.

        Args:
            missed (set of int): Instances that another one replaced.
            *seen (Tensor): int64, instances that were shown.
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
            f'more: {", ".join(paths)}{more}; the pipeline returned None for '
            'them, and others were trained instead (each is named once)'
        )
