"""What a reader must know of a run."""

from pathlib import Path
from typing import Any

from ies_mm.report.earlier import EPOCHS
from ies_mm.report.reading.methods import observes
from ies_mm.report.reading.parts import Part


def notes_on(
    work_dir: Path,
    parts: list[Part],
    selected: bool,
    records: list[dict[str, Any]],
) -> list[str]:
    """Seconds that are not known, parts, records that are missing.

    Args:
        work_dir (Path): Of the run.
        parts (list of Part): Its starts.
        selected (bool): Whether a method chooses the images that it trains.
        records (list of dict): Of its epochs.
    """
    notes = []
    if parts[0].begins_late:
        notes.append(
            f'{work_dir} goes on from a checkpoint of another folder: what '
            'came before is not in it, so its seconds are not known'
        )
    elif any(part.log.seconds is None for part in parts):
        notes.append(
            f'{work_dir} has no text log, so its seconds are not known '
            '(MMEngine writes one unless log_level is above INFO)'
        )
    if len(parts) > 1:
        notes.append(
            f'{work_dir} was resumed ({len(parts)} parts): its total seconds '
            'are those of all parts, what was done twice included'
        )
    if records and records[-1]['epoch'] > len(records):
        notes.append(
            f'{work_dir} has records of {len(records)} of its '
            f'{records[-1]["epoch"]} epochs: sums of seconds and of scored '
            'images are of these alone'
        )
    recorded = (work_dir / 'ies' / EPOCHS).exists()
    if recorded and not selected and not observes(parts[-1].config):
        notes.append(
            f'{work_dir}/ies was left out: it is of another run than the '
            'newest, which has no IESSampler'
        )
    return notes
