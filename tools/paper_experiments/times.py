"""Figure 7: wall time over the pruned share, compared with InfoBatch."""

from collections.abc import Sequence

import numpy as np

from paper_experiments.experiment import (
    OPEN,
    Claim,
    Found,
    Runs,
    share_excluded,
)
from paper_experiments.panels import GREY, Line, Panel
from paper_experiments.scale import Scale
from paper_experiments.sweep_claims import SECOND_ORDER
from paper_experiments.sweeps import sweep, walls, with_plain
from paper_experiments.trainings import TITLES, Training, by_ratio, plain

INFOBATCH = 'InfoBatchHook'


def figure7_lines(scale: Scale, data: str) -> dict[str, list[Training]]:
    """The trainings of IES and InfoBatch."""
    batches = [by_ratio(INFOBATCH, r, data=data) for r in scale.infobatch]
    return {SECOND_ORDER: sweep(scale, data, 2), 'InfoBatch': batches}


def figure7_trainings(scale: Scale) -> list[Training]:
    """The trainings of the lines, and the plain ones."""
    return with_plain(scale, figure7_lines)


def figure7(runs: Runs) -> Found:
    """Read Figure 7: wall time over the excluded share, with InfoBatch."""
    panels, claims = [], []
    for data in runs.scale.data_sets:
        time = float(np.mean(walls(runs.of(plain(data=data)))))
        lines = []
        for colour, (name, trainings) in enumerate(
            figure7_lines(runs.scale, data).items()
        ):
            points = sorted(
                (
                    float(
                        np.mean(
                            [share_excluded(run) for run in runs.of(training)]
                        )
                    ),
                    float(np.mean(walls(runs.of(training)))) / time,
                )
                for training in trainings
            )
            x, y = (list(part) for part in zip(*points, strict=True))
            lines.append(Line(name, x, y, None, colour))
        free = Line('1 - excluded', [0.0, 1.0], [1.0, 0.0], None, GREY, ':')
        scored = Line(
            '1 - 2/3 excluded', [0.0, 1.0], [1.0, 1 / 3], None, GREY, '--'
        )
        panels.append(
            Panel(
                TITLES[data],
                'total excluded samples',
                'wall time / No Removal',
                [*lines, free, scored],
                percent='x',
            )
        )
        claims.append(_times(data, lines, time))
    return Found(claims, panels)


def _times(data: str, lines: Sequence[Line], seconds: float) -> Claim:
    parts = [
        f'{line.label}: ' + ', '.join(
            f'{y:.2f} at {x:.0%}' for x, y in zip(line.x, line.y, strict=True)
        )
        for line in lines
    ]  # fmt: skip
    return Claim(
        f'{TITLES[data]}: wall time of IES beside that of InfoBatch',
        'a picture without figures',
        f'No Removal {seconds:.0f} s; ' + '; '.join(parts),
        OPEN,
    )
