"""A parser that reports usage errors in one line, and argument types."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable


class Parser(argparse.ArgumentParser):
    """An ``ArgumentParser`` whose errors do not repeat the usage."""

    def error(self, message: str) -> NoReturn:
        """Print the message and exit with status 2."""
        self.exit(2, f'{self.prog}: error: {message}\n')


def integer(least: int, most: int | None = None) -> Callable[[str], int]:
    """An argument type: an integer from ``least`` to ``most``."""
    wanted = f'an integer >= {least}'
    if most is not None:
        wanted = f'an integer from {least} to {most}'

    def read(word: str) -> int:
        value = int(word) if word.isdecimal() else least - 1
        if value < least or (most is not None and value > most):
            raise argparse.ArgumentTypeError(f'{word}: give {wanted}')
        return value

    return read


def number(above: float, most: float = math.inf) -> Callable[[str], float]:
    """An argument type: a finite number above one and at most another."""
    wanted = f'a number above {above:g}'
    if most < math.inf:
        wanted += f', at most {most:g}'

    def read(word: str) -> float:
        try:
            value = float(word)
        except ValueError:
            value = math.nan
        if not above < value <= most or value == math.inf:
            raise argparse.ArgumentTypeError(f'{word}: give {wanted}')
        return value

    return read
