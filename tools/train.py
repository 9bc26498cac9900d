#!/usr/bin/env python
"""``ies-mm train``, from a checkout."""

import sys

from ies_mm.commands.program import call

if __name__ == '__main__':
    status = call('train', prog='tools/train.py')
    if status:
        sys.exit(status)
