"""Stand-in for the sampler of a training run without an IESSampler."""

from typing import Any

from ies_mm.core import Selection
from ies_mm.errors import ConfigError
from ies_mm.training.data.identity import InstanceMap


class AnySampler:
    """Stands in for the sampler of a training run that prunes nothing.

    The training's own sampler is neither changed nor queried.

    Args:
        dataset (Dataset): The (wrapped) dataset of the training.

    Attributes:
        user (object, optional): The hook that observes.
        seed (int): Seed of the method's random numbers.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self.user: object | None = None
        self.seed = 0
        self._instances: InstanceMap | None = None

    @property
    def instances(self) -> InstanceMap:
        """The instance numbering that observations refer to."""
        if self._instances is None:
            self._instances = InstanceMap(self.dataset)
        return self._instances

    def set_selection(self, selection: Selection) -> None:
        """Check that everything is selected.

        Raises:
            ConfigError: The selection prunes images.
        """
        if len(selection.excluded):
            raise ConfigError(
                f'the method prunes {len(selection.excluded)} images, but '
                'its hook says needs_sampler = False, so all would be '
                'trained; remove that and set '
                "train_dataloader.sampler.type='IESSampler'"
            )
