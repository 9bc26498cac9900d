"""Figures 1 and 2: accuracy and mastered images over epochs."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ies_mm.core import Criterion
from ies_mm.report.calibrating.recorded import Recorded
from ies_mm.report.reading.runs import Run
from paper_experiments.experiment import (
    METRIC,
    Claim,
    Found,
    Runs,
    exceeds,
    last_accuracies,
    share_excluded,
    verdict,
)
from paper_experiments.panels import GREY, Panel, mean_line
from paper_experiments.scale import Scale
from paper_experiments.trainings import (
    IMAGENET,
    SGD_E,
    TITLES,
    Training,
    dry,
    ies,
    plain,
)

NEAR = 0.05
"""Share of the images within which curves of Figure 2 count as equal."""

FEW = 0.01
"""Share of mastered images below which nothing can be concluded."""


def figure1_pairs(scale: Scale) -> list[tuple[str, Training, Training]]:
    """For each dataset: its name, the plain training, IES."""
    pairs = [('cifar10', plain(), ies(scale.delta))]
    if (IMAGENET, SGD_E) in scale.configs:
        pair = (plain(data=IMAGENET), ies(1.0, data=IMAGENET))
        pairs.insert(0, (IMAGENET, *pair))
    return pairs


def figure1(runs: Runs) -> Found:
    """Read Figure 1: accuracy, and below it the excluded images."""
    top, bottom, claims = [], [], []
    for data, base, own in figure1_pairs(runs.scale):
        names = ('No Removal', base, GREY), ('IES', own, 0)
        lines = [
            mean_line(name, [_accuracy(r) for r in runs.of(t)], colour)
            for name, t, colour in names
        ]
        top.append(Panel(TITLES[data], 'epoch', 'test accuracy, %', lines))
        counts = mean_line('IES', [_excluded(r) for r in runs.of(own)], 0)
        bottom.append(Panel('', 'epoch', 'images excluded', [counts]))
        claims.append(_comparable(data, runs.of(base), runs.of(own)))
    return Found(claims, [*top, *bottom])


def _accuracy(run: Run) -> tuple[list[float], list[float]]:
    points = run.points[METRIC]
    return [float(epoch) for epoch in points], list(points.values())


def _excluded(run: Run) -> tuple[list[float], list[float]]:
    return (
        [record['epoch'] for record in run.records],
        [record['excluded'] for record in run.records],
    )


def _comparable(data: str, base: Sequence[Run], own: Sequence[Run]) -> Claim:
    plain_, ours = (np.array(last_accuracies(runs)) for runs in (base, own))
    saved = float(np.mean([share_excluded(run) for run in own]))
    return Claim(
        f'{TITLES[data]}: IES ends as accurate as No Removal (within 1 point)',
        'comparable',
        f'{ours.mean():.1f}% against {plain_.mean():.1f}%, {saved:.0%} saved',
        verdict(_within_a_point(ours - plain_) if saved >= FEW else None),
    )


def _within_a_point(apart: NDArray[np.float64]) -> bool | None:
    low, high = exceeds(apart, -1.0), exceeds(apart, 1.0)
    if low is None or high is None:
        return None
    return low and not high


def figure2_pairs(scale: Scale) -> list[tuple[int, Training]]:
    """For each order: the order, and IES with it."""
    delta = scale.delta_of_figure_4
    return [(n, ies(delta, n, of_figure_4=True)) for n in (0, 1, 2)]


def figure2(runs: Runs) -> Found:
    """Read Figure 2: mastered images with and without training on them."""
    delta = runs.scale.delta_of_figure_4
    lines, claims = [], []
    for order, own in figure2_pairs(runs.scale):
        left_out = [_mastered(run) for run in runs.of(own)]
        kept = [
            mastered_of(recorded, delta, order)
            for recorded in runs.recorded(dry(of_figure_4=True))
        ]
        label = f'N = {order}'
        lines += [
            mean_line(f'{label}, excluded', left_out, order),
            mean_line(f'{label}, trained on', kept, order, '--'),
        ]
        images = runs.of(own)[0].records[0]['instances']
        claims.append(_near(order, left_out, kept, images))
    title = f'Images mastered by delta = {delta:g}'
    return Found(claims, [Panel(title, 'epoch', 'images', lines)])


def mastered_of(
    recorded: Recorded, delta: float, order: int
) -> tuple[list[float], list[float]]:
    """Epochs, and the number of images mastered after each."""
    scores = recorded.scores(Criterion(delta, order))
    counts = (scores < delta).sum(axis=1)
    epochs = np.arange(1, len(counts) + 1)
    return epochs.astype(float).tolist(), counts.astype(float).tolist()


def _mastered(run: Run) -> tuple[list[float], list[float]]:
    return (
        [float(record['epoch']) for record in run.records],
        [float(record['mastered']) for record in run.records],
    )


def _near(
    order: int,
    one: Sequence[tuple[Sequence[float], Sequence[float]]],
    other: Sequence[tuple[Sequence[float], Sequence[float]]],
    images: int,
) -> Claim:
    pairs = [
        (np.array(a[: len(b)]), np.array(b[: len(a)]))
        for (_, a), (_, b) in zip(one, other, strict=True)
    ]
    gap = np.mean([np.abs(a - b).mean() for a, b in pairs]) / images
    most = max(max(a.max(), b.max()) for a, b in pairs) / images
    return Claim(
        f'N = {order}: as many are mastered whether or not they are trained '
        f'on (mean gap below {NEAR:.0%} of the images)',
        'nearly the same' if order else 'less so',
        f'gap {gap:.1%}, at most {most:.0%} mastered',
        verdict(bool(gap < NEAR) if most >= FEW else None),
    )


def dry_of(setting: str) -> Training:
    """The dry run that Figures 2, 3 and 6 are read from."""
    return dry(of_figure_4=True, setting=setting)
