#!/usr/bin/env python
"""``ies-mm get-voc``, from a checkout."""

import sys

from ies_mm.commands.program import call

if __name__ == '__main__':
    status = call('get-voc', prog='tools/get_voc.py')
    if status:
        sys.exit(status)
