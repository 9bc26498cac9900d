"""Where a training run stands between two epochs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Standing:
    """What a selection method knows about a training run besides its losses.

    Attributes:
        instances (int): Number of instances N.
        epoch (int): The epoch just trained, from 1; 0 before the first.
        epochs (int): Epochs of the whole training.
        excluded (float): Instance-epochs pruned so far.
        learning_rate (float): Learning rate of the first parameter group at
            the last step.
        begun (int): Epochs trained before the method began, as in a run
            resumed from one without it.
        scored_every (int): Epochs between scoring passes over all instances,
            if only these observe them; 0 if every training epoch does.
        last (float): Length of the last epoch, below 1 if the training ends
            within a pass over the data.
    """

    instances: int
    epoch: int = 0
    epochs: int = 0
    excluded: float = 0
    learning_rate: float = 1.0
    begun: int = 0
    scored_every: int = 0
    last: float = 1.0

    def after(self, observations: int) -> int:
        """The first epoch after which that many observations are possible.

        Args:
            observations (int): Number of observations.
        """
        if not self.scored_every:
            return self.begun + observations
        passes = self.begun // self.scored_every + observations
        return passes * self.scored_every
