"""Tables 12 and 13: the images that were pruned first."""

from itertools import pairwise
from typing import Any

import numpy as np

from paper_runs import EPOCHS


def test_tables_12_and_13(made: Any) -> None:
    found = made('table12')
    run = found.of('ies')
    # One of twenty: 5%.
    first = np.where(run.excluded.any(0), run.excluded.argmax(0), EPOCHS)
    candidates = np.flatnonzero(first == first.min())
    rows = [
        line.split(' | ')
        for line in found.found.table.splitlines()
        if line.startswith('| ours')
    ]
    assert [row[1] for row in rows] == ['3', '6', '9', '12']
    for row, epoch in zip(rows, (3, 6, 9, 12), strict=True):
        assert row[2] == f'{run.losses[epoch - 1].mean():.6f}'
        assert row[3] in [
            f'{run.losses[epoch - 1, i]:.6f}' for i in candidates
        ]
        assert row[4] == f'{run.correct[epoch - 1].mean():.2%}'
    assert '| paper | 50 | 0.120135 | 0.001003 | 95.96% | 100.00% |' in (
        found.found.table
    )
    again = made('table13')
    back = [
        sum(
            bool(a and not b)
            for a, b in pairwise(again.of('ies').excluded[:, image])
        )
        for image in candidates
    ]
    texts = [f'| most | 26 | {times} |' for times in back]
    assert any(text in again.found.table for text in texts)
