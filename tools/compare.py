#!/usr/bin/env python
"""``ies-mm compare``, from a checkout."""

import sys

from ies_mm.commands.program import call

if __name__ == '__main__':
    status = call('compare', prog='tools/compare.py')
    if status:
        sys.exit(status)
