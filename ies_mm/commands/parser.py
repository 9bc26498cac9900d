"""A parser that reports a bad call in one line, and kinds of arguments."""

from __future__ import annotations

import argparse
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """Says what is wrong without repeating the usage."""

    def error(self, message: str) -> NoReturn:
        """End the program with status 2."""
        self.exit(2, f'{self.prog}: error: {message}\n')


def count(word: str) -> int:
    """An argument of 1 or more."""
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f'{word}: give a number from 1 on')
    return int(word)
