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
        scored_every (int): Epochs between two scoring passes over all
            instances, where these alone observe them; 0 where the training
            itself does, in each epoch.
    """

    instances: int
    epoch: int = 0
    epochs: int = 0
    excluded: float = 0
    learning_rate: float = 1.0
    begun: int = 0
    scored_every: int = 0

    def after(self, observations: int) -> int:
        """The epoch after which an instance may have been observed so often.

        Args:
            observations (int): How often.
        """
        return self.begun + observations * max(1, self.scored_every)
