#!/usr/bin/env python
"""Rank the images of a run by how much a model disagrees with their labels."""

from command_line.config import one_line_errors
from command_line.parser import Parser

from ies_mm.report.suspecting.command import add_arguments, suspect

NAME = 'tools/label_errors.py'


def main() -> None:
    """Read the arguments, rank, write the list."""
    arguments = Parser(prog=NAME, description=__doc__)
    add_arguments(arguments)
    args = arguments.parse_args()
    with one_line_errors(NAME):
        print(suspect(args))


if __name__ == '__main__':
    main()
