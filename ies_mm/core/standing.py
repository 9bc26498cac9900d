"""Where a training stands between two epochs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Standing:
    """What a selection method may know of a training beside the losses.

    Attributes:
        instances (int): Number of instances N.
        epoch (int): The epoch just trained, from 1; 0 before the first.
        epochs (int): Epochs of the whole training.
        excluded (float): Instance-epochs left out so far.
        learning_rate (float): Of the last step, of the first group of
            parameters.
        begun (int): Epochs that were trained before the method began: a run
            that goes on from a plain one has some.
    """

    instances: int
    epoch: int = 0
    epochs: int = 0
    excluded: float = 0
    learning_rate: float = 1.0
    begun: int = 0
