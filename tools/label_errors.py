#!/usr/bin/env python
"""``ies-mm label-errors``, from a checkout."""

import sys

from ies_mm.commands.program import call

if __name__ == '__main__':
    status = call('label-errors', prog='tools/label_errors.py')
    if status:
        sys.exit(status)
