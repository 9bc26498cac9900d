"""Rescales what a config counts in epochs or iterations."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Rule = Callable[[Any, float], Any]
"""(value of the config, ratio of the lengths) -> rescaled value."""


@dataclass(frozen=True)
class Lengths:
    """The lengths of a training in the unit of its loop.

    Attributes:
        before (int): Epochs or iterations.
        after (int): Those of the rescaled training.
        by_epoch (bool): Whether they are epochs.
    """

    before: int
    after: int
    by_epoch: bool

    @property
    def ratio(self) -> float:
        """The rescaled length over the other."""
        return self.after / self.before

    @property
    def in_epochs(self) -> tuple[float, float]:
        """Both in epochs; infinite if the loop counts iterations."""
        if self.by_epoch:
            return self.before, self.after
        return math.inf, math.inf


def rounded(value: float, ratio: float) -> int:
    """Rescale a number and round it; infinity stays, as in a schedule's end.

    round() would send halves to the even neighbour, 0.5 to 0.
    """
    scaled: Any = value * ratio
    return int(scaled + 0.5) if math.isfinite(scaled) else scaled


def place(value: int, ratio: float) -> int:
    """Rescale an epoch or iteration; -1 (never) and 0 (at once) stay."""
    return rounded(value, ratio) if value > 0 else value


def distance(value: int, ratio: float) -> int:
    """Rescale an interval of epochs or iterations to at least 1."""
    return max(1, rounded(value, ratio)) if value > 0 else value


def distances(values: Sequence[int], ratio: float) -> list[int]:
    """Rescale several intervals."""
    return [distance(value, ratio) for value in values]


def spread(
    values: Sequence[int], ratio: float, ends: tuple[float, float]
) -> list[int]:
    """Rescale increasing places, which stay before an end, and apart.

    What has no room before the end is put at place 1, with others.

    Args:
        values (sequence of int): Epochs or iterations. Those from the end on
            stay there, 0 and -1 as they are.
        ratio (float): Ratio of the lengths.
        ends (tuple of float): The end, and the rescaled one.
    """
    before, after = ends
    found: list[int] = []
    inside = sum(0 < value < before for value in values)
    for value in values:
        if value <= 0:
            found.append(value)
        elif value >= before:
            found.append(int(max(rounded(value, ratio), after)))
        else:
            inside -= 1
            first = found[-1] + 1 if found else 1
            # Each of those that follow needs a place of its own.
            last = after - 1 - inside
            wanted = max(rounded(value, ratio), first)
            found.append(int(max(1, min(wanted, last))))
    return found


def fit(part: Any, rules: dict[str, Rule], ratio: float) -> None:
    """Apply rules to the settings of a part of a config, in place.

    Args:
        part (dict): The part.
        rules (dict): Setting -> rule.
        ratio (float): Ratio of the lengths.
    """
    for key, rule in rules.items():
        # A hook of one's own may mean something else by the name.
        if isinstance(part.get(key), int | float | list | tuple):
            part[key] = rule(part[key], ratio)
