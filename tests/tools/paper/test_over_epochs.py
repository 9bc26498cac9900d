"""Figures 1, 2, 3 and 6: what happens over the epochs."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from ies_mm.core.reference import ReferenceIES
from paper_runs import EPOCHS, IMAGES


def test_figure1(made: Any) -> None:
    found = made('figure1')
    accuracy, excluded = found.found.panels
    assert [line.label for line in accuracy.lines] == ['No Removal', 'IES']
    for line, name in zip(accuracy.lines, ('plain', 'ies'), strict=True):
        run = found.of(name)
        assert dict(zip(line.x, line.y, strict=True)) == run.accuracy
    counts = found.of('ies').excluded.sum(axis=1)
    assert excluded.lines[0].y == counts.tolist()


def test_figure2_counts_with_the_literal_criterion(made: Any) -> None:
    found = made('figure2')
    delta = found.runs.scale.delta_of_figure_4
    losses = found.of('dry').losses
    for order in (0, 1, 2):
        rule = ReferenceIES(IMAGES, delta, order)
        wanted = [
            sum(rule.step({i: [float(x)] for i, x in enumerate(row)}))
            for row in losses
        ]
        wet, dry = found.found.panels[0].lines[2 * order : 2 * order + 2]
        assert dry.y == wanted
        run = found.of(f'ies_order{order}')
        assert wet.y == [int(out) + 1 for out in run.excluded.sum(axis=1)]


def variation(losses: np.ndarray, order: int) -> float:
    """Variation after the last epoch, image by image."""
    values = []
    for image in range(losses.shape[1]):
        curve = [float(x) for x in losses[:, image]]
        for _ in range(order):
            curve = [b - a for a, b in pairwise(curve)]
        values.append(abs(curve[-1]))
    mean = sum(values) / len(values)
    return (sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5 / mean


@pytest.mark.parametrize('name', ['figure3', 'figure6'])
def test_figures_3_and_6(made: Any, name: str) -> None:
    found = made(name)
    [panel] = found.found.panels
    assert list((panel.levels or {}).values()) == [pytest.approx(0.7555, 1e-4)]
    losses = found.of('dry').losses
    for order, line in enumerate(panel.lines):
        for epoch in range(order, EPOCHS):
            wanted = variation(losses[: epoch + 1], order)
            assert line.y[epoch] == pytest.approx(wanted, rel=1e-9)
        assert np.isnan(line.y[:order]).all()
