#!/usr/bin/env python
"""``ies-mm make-noisy-labels``, from a checkout."""

import sys

from ies_mm.commands.program import call

if __name__ == '__main__':
    status = call('make-noisy-labels', prog='tools/make_noisy_labels.py')
    if status:
        sys.exit(status)
