"""How a user wants images to be observed, above all if they are mixed."""

from dataclasses import dataclass, field

from mmengine.runner import Runner

from ies_mm.methods.method import Method
from ies_mm.training.data.mixing_transforms import mixes, transforms_of
from ies_mm.training.scoring.options import ScoringOptions
from ies_mm.training.scoring.unmixed import batch_augments

TRAINING, SCORING, MIXTURES = 'training', 'scoring', 'mixtures'

LONGEST_INTERVAL = 10
"""A scoring pass takes 0.30 to 0.45 of an epoch (docs/performance.md)."""


@dataclass(frozen=True)
class Mixing:
    """Arguments of a hook about observing; see :class:`SelectionHook`.

    Args:
        observe (str): ``'training'``, ``'scoring'`` or ``'mixtures'``.
            Defaults to ``'training'``.
        scoring (ScoringOptions): How images are scored.
        in_place (bool): ``allow_batch_augments``: batch augments count as
            mixing nothing. Defaults to False.

    Raises:
        ValueError: ``observe`` is none of them.
    """

    observe: str = TRAINING
    scoring: ScoringOptions = field(default_factory=ScoringOptions)
    in_place: bool = False

    def __post_init__(self) -> None:
        if self.observe not in (TRAINING, SCORING, MIXTURES):
            raise ValueError(
                f'observe={self.observe!r}: give {TRAINING!r}, {SCORING!r} or '
                f'{MIXTURES!r}'
            )


def interval_of(method: Method, epochs: float, mixing: bool) -> int:
    """Epochs between two scoring passes over all images, by default.

    One where a user asks for the passes (Algorithm 1, line 3). While the
    training mixes images, ten, so that scoring stays below 5% of the training
    time; fewer where the method would otherwise know too little for more than
    half of the epochs. It is not measured: decisions would depend on the load
    of the machine.

    Args:
        method (Method): What needs observations.
        epochs (float): Of the whole training.
        mixing (bool): Whether the training mixes images.
    """
    if not mixing:
        return 1
    most = int(epochs) // (2 * (method.depth + 1))
    return max(1, min(LONGEST_INTERVAL, most))


def what_mixes(runner: Runner, wanted: Mixing) -> list[str]:
    """Names of the transforms and batch augments that mix images now."""
    dataset = runner.train_dataloader.dataset
    found = [part for _, part in transforms_of(dataset) if mixes(part)]
    if not wanted.in_place:
        found += batch_augments(runner.model)
    return [*dict.fromkeys(type(part).__name__ for part in found)]
