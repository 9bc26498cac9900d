"""Figure 4: gradient, sharpness and loss landscape."""

from typing import Any

import pytest

from paper_runs import VALIDATED


def test_figure4_is_over_backpropagated_images(made: Any) -> None:
    found = made('figure4')
    panels = found.found.panels
    assert [panel.title for panel in panels] == ['SGD'] * 5 + ['Adam'] * 5
    keys = ('gradient_norm', 'loss', 'sam', 'top_eigenvalue')
    for first, setting in ((0, 'sgd_e'), (5, 'adam')):
        for k, who in enumerate(('plain', 'ies')):
            [run] = [
                run
                for t, run in found.made.items()
                if t.setting == setting and t.method.startswith(who)
            ]
            at = {d['epoch']: d['instances'] for d in run.dynamics}
            error = panels[first].lines[k]
            assert error.x == [at[epoch] for epoch in VALIDATED]
            assert error.y == [100 - a for a in run.accuracy.values()]
            for panel, key in zip(panels[first + 1 :], keys, strict=False):
                lines = [d for d in run.dynamics if d[key] is not None]
                assert panel.lines[k].x == [d['instances'] for d in lines]
                assert panel.lines[k].y == [d[key] for d in lines]


def test_how_much_of_the_way_a_line_is_above(part: Any) -> None:
    line = part('panels').Line
    above = part('dynamics').share_above
    level, rise = line('', [0, 10], [5, 5]), line('', [0, 20], [0, 20])
    # Above from 5 on, where both are defined.
    assert above(rise, level, 0) == pytest.approx(0.5, abs=0.02)
    assert above(rise, level, 6) == 1
    assert above(level, rise, 6) == 0
    assert above(rise, level, float('inf')) is None
