#!/usr/bin/env python
"""``ies-mm demo``, from a checkout."""

import sys

from ies_mm.commands.program import call

if __name__ == '__main__':
    status = call('demo', prog='tools/demo.py')
    if status:
        sys.exit(status)
