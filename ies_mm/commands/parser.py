"""A parser that reports usage errors in one line, and argument types."""

from __future__ import annotations

import argparse
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """An ``ArgumentParser`` whose errors do not repeat the usage."""

    def error(self, message: str) -> NoReturn:
        """Print the message and exit with status 2."""
        self.exit(2, f'{self.prog}: error: {message}\n')


def count(word: str) -> int:
    """An argument type: an integer of 1 or more."""
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f'{word}: give an integer >= 1')
    return int(word)


def share(word: str) -> float:
    """An argument type: a number above 0, at most 1."""
    try:
        found = float(word)
    except ValueError:
        found = 0.0
    if not 0 < found <= 1:
        raise argparse.ArgumentTypeError(f'{word}: give a share above 0 to 1')
    return found
