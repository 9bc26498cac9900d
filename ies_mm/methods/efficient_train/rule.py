"""EfficientTrain's curriculum (Wang et al., ICCV 2023 and TPAMI 2024)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ies_mm.core import LossHistory, Standing
from ies_mm.core.arguments import check_integer, check_number
from ies_mm.methods.method import Decision, Method

PUBLISHED = (
    dict(part=0.2, size=5 / 7, magnitude=1),
    dict(part=0.2, size=5 / 7, magnitude=3),
    dict(part=0.2, size=5 / 7, magnitude=5),
    dict(part=0.2, size=6 / 7, magnitude=7),
    dict(part=0.2, size=1.0, magnitude=9),
)
"""The 2023 paper's schedule: sides of 160, 192 and 224 of 224 pixels."""


@dataclass(frozen=True)
class Stage:
    """One stage of the training.

    Attributes:
        part (float): Its fraction of the epochs, at least 0.001.
        size (int or float): Length of the shorter side in pixels, or as a
            float, the fraction of each side, up to 1.
        magnitude (int, optional): RandAugment's ``magnitude_level``. Defaults
            to None: as in the config.
    """

    part: float
    size: int | float
    magnitude: int | None = None

    def sides(self, height: int, width: int) -> tuple[int, int]:
        """Height and width to which images are cropped.

        Raises:
            ValueError: The images are smaller than ``size``.
        """
        shorter = min(height, width)
        share = self.size
        if isinstance(share, int):
            if share > shorter:
                raise ValueError(
                    f'a stage has size={share}, but the images have '
                    f'{height}x{width} pixels; give at most {shorter}, or a '
                    'fraction such as 0.5'
                )
            share = share / shorter
        # Whole images may keep an odd side.
        if share == 1:
            return height, width
        # Even, as networks halve them.
        return _even(height * share), _even(width * share)


_KEYS = {field.name for field in fields(Stage)}


class EfficientTrain(Method):
    """Trains on every image in every epoch, with growing image size.

    For the arguments see :class:`ies_mm.engine.EfficientTrainHook`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range.
    """

    name = 'EfficientTrain'
    refreshes = False
    reads_losses = False

    def __init__(
        self, stages: Sequence[Mapping[str, Any]] | None = None
    ) -> None:
        self.stages = None if stages is None else _plain(stages)
        self.curriculum = _curriculum(
            PUBLISHED if self.stages is None else self.stages
        )

    def decide(
        self, history: LossHistory, names: Sequence[str], standing: Standing
    ) -> Decision:
        """Select everything."""
        return self.none_mastered()

    def stage(self, standing: Standing) -> Stage:
        """The stage of the next epoch."""
        for stage, end in self._ends(standing.epochs):
            if standing.epoch < end:
                return stage
        # An iteration-based loop asks once more after its last epoch.
        return self.curriculum[-1]

    def forecast(self, standing: Standing) -> str:
        """The image size of each epoch."""
        # Merge consecutive stages of the same size.
        ends: list[tuple[int | float, int]] = []
        for stage, end in self._ends(standing.epochs):
            if ends and ends[-1][0] == stage.size:
                ends.pop()
            ends.append((stage.size, end))
        return ', '.join(
            # Pixels, or a part of the full size.
            f'size {size if size > 1 else f"{size:.3g}"} until epoch {end}'
            for size, end in ends
        )

    def _ends(self, epochs: int) -> Iterator[tuple[Stage, int]]:
        """Each stage, and the number of epochs at its end."""
        part = 0.0
        for stage in self.curriculum:
            part += stage.part
            # Ends are rounded, not lengths, whose rounding errors would add
            # up.
            yield stage, round(part * epochs)


def _even(side: float) -> int:
    return max(2, 2 * round(side / 2))


def _plain(stages: Any) -> list[Any]:
    """Convert config types to plain ones, for checkpoints."""
    if not isinstance(stages, list | tuple):
        raise TypeError(f'stages={stages!r}: give a list of dicts, or None')
    if not stages:
        raise ValueError('stages=[]: give at least one stage, or None')
    return [dict(s) if isinstance(s, Mapping) else s for s in stages]


def _curriculum(stages: Sequence[Mapping[str, Any]]) -> list[Stage]:
    found = [_stage(k, given) for k, given in enumerate(stages)]
    total = sum(stage.part for stage in found)
    if abs(total - 1) > 1e-6:
        raise ValueError(
            f'stages: the parts of the epochs add up to {total:g}; give '
            'parts that add up to 1'
        )
    return found


def _stage(number: int, given: Mapping[str, Any]) -> Stage:
    name = f'stages[{number}]'
    keys = set(given) if isinstance(given, Mapping) else None
    if keys is None or not {'part', 'size'} <= keys <= _KEYS:
        raise TypeError(
            f'{name}={given!r}: give a dict of part, size and optionally '
            'magnitude, such as dict(part=0.6, size=160, magnitude=5)'
        )
    check_number(f'{name}.part', given['part'], 1e-3, 1)
    if isinstance(given['size'], int):
        check_integer(f'{name}.size', given['size'], 2)
    else:
        check_number(f'{name}.size', given['size'], 1e-3, 1)
    if given.get('magnitude') is not None:
        check_integer(f'{name}.magnitude', given['magnitude'], 0)
    return Stage(**given)
