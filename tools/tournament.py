#!/usr/bin/env python
"""``ies-mm tournament``, from a checkout."""

import sys

from ies_mm.commands.program import call

if __name__ == '__main__':
    status = call('tournament', prog='tools/tournament.py')
    if status:
        sys.exit(status)
