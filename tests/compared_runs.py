"""Shorter plain runs, and a method's differences from its controls."""

from pathlib import Path

from ies_mm.report.comparing.differences import Difference
from ies_mm.report.comparing.notes import Comparison
from work_dirs import config_of, epoch_scalars, write_start


def short_run(
    work_dir: Path, seed: int, value: float, length: float, epochs: int = 30
) -> Path:
    config = config_of(seed, length=length, train_cfg__max_epochs=epochs)
    return write_start(
        work_dir, config, epoch_scalars({epochs: value}, epochs)
    )


def differences(found: Comparison, method: str) -> dict[str, Difference]:
    [row] = [row for row in found.rows if row.group.method == method]
    return {difference.kind: difference for difference in row.differences}
