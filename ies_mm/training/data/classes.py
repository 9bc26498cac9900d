"""The classes of the training images."""

from collections import Counter

import torch
from torch import Tensor

from ies_mm.training.data.identity import InstanceMap

NONE = -1
"""Class of an image without objects."""


def strata_of(instances: InstanceMap) -> Tensor:
    """int64 (N,), the class of every instance: the rarest in its image.

    Rarity is counted in images; ties go to the first class.

    Raises:
        ConfigError: The dataset does not say what is in an image.
    """
    classes = [set(map(int, found)) for found in instances.classes()]
    images = Counter(label for found in classes for label in found)
    rarest = [
        min(found, key=lambda label: (images[label], label), default=NONE)
        for found in classes
    ]
    return torch.tensor(rarest)
