"""Notes to the reader about a run."""

from pathlib import Path
from typing import Any

from ies_mm.report.earlier import EPOCHS
from ies_mm.report.reading.methods import observes
from ies_mm.report.reading.parts import Part
from ies_mm.report.reading.progress import Progress
from ies_mm.report.reading.records import unrecorded


def run_notes(
    work_dir: Path,
    parts: list[Part],
    selected: bool,
    records: list[dict[str, Any]],
    progress: Progress,
) -> list[str]:
    """Collect notes on what is unknown, missing or in several parts.

    Args:
        work_dir (Path): Work directory of the run.
        parts (list of Part): Its starts.
        selected (bool): Whether a method selects its training images.
        records (list of dict): Records of its epochs.
        progress (Progress): How far it has come.
    """
    notes = []
    if parts[0].begins_late:
        notes.append(
            f'{work_dir} resumed from a checkpoint of another folder: the '
            'time before it is not recorded, so its seconds are unknown'
        )
    elif any(part.log.set_back for part in parts):
        notes.append(
            f'the clock was set back while {work_dir} was trained, so its '
            'seconds are unknown'
        )
    elif any(part.log.seconds is None for part in parts):
        notes.append(
            f'{work_dir} has no text log, so its seconds are unknown '
            '(MMEngine writes one unless log_level is above INFO)'
        )
    if records and not any(part.training_lines for part in parts):
        notes.append(
            f'{work_dir} has records, but no losses or metrics in '
            f'{parts[-1].folder.name}/vis_data/scalars.json, which '
            'LocalVisBackend writes: its metrics are unknown'
        )
    if len(parts) > 1:
        notes.append(
            f'{work_dir} was resumed ({len(parts)} parts): its total seconds '
            'cover all parts, including work that was done twice'
        )
    if records and records[-1]['epoch'] > len(records):
        notes.append(
            f'{work_dir} has records of {len(records)} of its '
            f'{records[-1]["epoch"]} epochs: sums of seconds and of scored '
            'images cover only these'
        )
    missing = unrecorded(records, progress)
    if selected and missing:
        notes.append(
            f'{work_dir} has no records from epoch {missing[0]} on: '
            'what it saved is unknown, so the verdict leaves it out, and its '
            'sums of seconds cover only the epochs before'
        )
    recorded = (work_dir / 'ies' / EPOCHS).exists()
    if recorded and not selected and not observes(parts[-1].config):
        notes.append(
            f'{work_dir}/ies was ignored: it is not from the newest run, '
            'which has no IESSampler'
        )
    return notes
