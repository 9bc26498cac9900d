#!/usr/bin/env python
"""``ies-mm forgetting``, from a checkout."""

import sys

from ies_mm.commands.program import call

if __name__ == '__main__':
    status = call('forgetting', prog='tools/forgetting.py')
    if status:
        sys.exit(status)
