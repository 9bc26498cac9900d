"""What a hook asks of a training run."""

from dataclasses import dataclass

from ies_mm.methods.method import Method
from ies_mm.training.hook.mixing_options import Mixing


@dataclass(frozen=True)
class Settings:
    """What a hook asks of a training run.

    Attributes:
        method (Method): Selects the instances of each epoch.
        mixing (Mixing): How images are observed.
        fallback (bool): See :func:`capture_per_image_losses`.
        records_losses (bool): Whether losses are observed at all.
        needs_sampler (bool): Whether images may be pruned.
    """

    method: Method
    mixing: Mixing
    fallback: bool
    records_losses: bool
    needs_sampler: bool
