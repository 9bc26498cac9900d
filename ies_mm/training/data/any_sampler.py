"""A training whose images are drawn by a sampler that is none of ours."""

from typing import Any

from ies_mm.core import Selection
from ies_mm.errors import ConfigError
from ies_mm.training.data.identity import InstanceMap


class AnySampler:
    """Stands for the sampler of a training that leaves nothing out.

    Whatever draws the images goes on as it is, and is asked nothing.

    Args:
        dataset (Dataset): The (wrapped) data set of the training.

    Attributes:
        user (object, optional): The hook that observes.
        seed (int): Of the method's random numbers.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self.user: object | None = None
        self.seed = 0
        self._instances: InstanceMap | None = None

    @property
    def instances(self) -> InstanceMap:
        """The numbering that observations speak of."""
        if self._instances is None:
            self._instances = InstanceMap(self.dataset)
        return self._instances

    def set_selection(self, selection: Selection) -> None:
        """Everything is selected; there is nothing to tell anybody.

        Raises:
            ConfigError: It leaves images out.
        """
        if len(selection.excluded):
            raise ConfigError(
                f'the method leaves {len(selection.excluded)} images out, '
                'but its hook says needs_sampler = False, so all would be '
                'trained; remove that, and set '
                "train_dataloader.sampler.type='IESSampler'"
            )
