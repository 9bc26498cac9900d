#!/usr/bin/env python
"""``ies-mm calibrate``, from a checkout."""

import sys

from ies_mm.commands.program import call

if __name__ == '__main__':
    status = call('calibrate', prog='tools/calibrate.py')
    if status:
        sys.exit(status)
