#!/usr/bin/env python
"""``ies-mm make-voc``, from a checkout."""

import sys

from ies_mm.commands.program import call

if __name__ == '__main__':
    status = call('make-voc', prog='tools/make_voc.py')
    if status:
        sys.exit(status)
