"""Stand-in for the sampler of a training run without an IESSampler."""

from functools import cached_property
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

    @cached_property
    def instances(self) -> InstanceMap:
        """The instance numbering that observations refer to."""
        return InstanceMap(self.dataset)

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
