"""The classes of a training's images."""

from collections import Counter

import torch
from torch import Tensor

from ies_mm.training.data.identity import InstanceMap

NONE = -1
"""Instead of a class: nothing is in the image."""


def strata_of(instances: InstanceMap) -> Tensor:
    """int64 (N,), the class of every instance: the rarest in its image.

    Classes are counted by images. Of classes as rare as each other it is the
    first.

    Raises:
        ConfigError: The data set does not say what is in an image.
    """
    classes = [set(map(int, found)) for found in instances.classes()]
    images = Counter(label for found in classes for label in found)
    rarest = [
        min(found, key=lambda label: (images[label], label), default=NONE)
        for found in classes
    ]
    return torch.tensor(rarest)
