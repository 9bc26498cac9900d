#!/usr/bin/env python
"""Write noisy labels for the images of a training, beside the clean ones."""

import argparse

from command_line.config import one_line_errors, parser, read_config

from ies_mm.labels.command import add_arguments, make


def main() -> None:
    """Read the arguments, draw the noise, write the file."""
    arguments = parser(__doc__)
    add_arguments(arguments)
    args: argparse.Namespace = arguments.parse_args()
    with one_line_errors('tools/make_noisy_labels.py'):
        print(make(read_config(args), args))


if __name__ == '__main__':
    main()
