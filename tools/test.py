#!/usr/bin/env python
"""``ies-mm test``, from a checkout."""

import sys

from ies_mm.commands.program import call

if __name__ == '__main__':
    status = call('test', prog='tools/test.py')
    if status:
        sys.exit(status)
