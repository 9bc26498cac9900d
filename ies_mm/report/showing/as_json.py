"""A comparison as JSON: the same figures, by group and by run."""

import json
from dataclasses import asdict
from typing import Any

from ies_mm.report.comparing.figures import best, last
from ies_mm.report.comparing.image_groups import group_values_of
from ies_mm.report.comparing.notes import Comparison, Row
from ies_mm.report.reading.runs import Run
from ies_mm.report.values import finite


def as_json(comparison: Comparison) -> bytes:
    """The file's content; unknown values and NaN are null."""
    content = {
        'verdict': comparison.verdict,
        'metric': comparison.metric,
        'groups': [_group(row) for row in comparison.rows],
        'runs': [
            _run(row.group.label, run, comparison.metric)
            for row in comparison.rows
            for run in row.group.runs
        ],
        'notes': comparison.notes,
    }
    text = json.dumps(finite(content), indent=1, allow_nan=False)
    return f'{text}\n'.encode()


def _group(row: Row) -> dict[str, Any]:
    gain = row.speed_up
    return {
        'label': row.group.label,
        'method': row.group.method,
        'finished': row.group.finished,
        'runs': len(row.group.runs),
        'work_dirs': [str(run.work_dir) for run in row.group.runs],
        **asdict(row.figures),
        'training_is_wall_time': row.figures.refresh_seconds is None,
        'baseline': gain.baseline if gain else None,
        'speed_up': gain.factor if gain else None,
        'speed_up_limit': gain.limit if gain else None,
        'share_of_limit': gain.share if gain else None,
        'differences': [
            asdict(difference)
            | {'mean': difference.mean, 'interval': difference.interval}
            for difference in row.differences
        ],
    }


def _run(label: str, run: Run, metric: str | None) -> dict[str, Any]:
    return {
        'label': label,
        'method': run.method,
        'work_dir': str(run.work_dir),
        'seed': run.seed,
        'length': run.length * run.full_length,
        'unit': run.progress.unit,
        'done': run.progress.done,
        'planned': run.progress.planned,
        'finished': run.progress.finished,
        'starts': run.starts,
        'best': best(run, metric),
        'last': last(run, metric),
        'metric': [[*p] for p in run.points.get(metric or '', {}).items()],
        'excluded': [record['excluded'] for record in run.records],
        'mastered': [record['mastered'] for record in run.records],
        'saved': run.known_saved,
        'compute': run.compute,
        'effective_epochs': run.effective_epochs,
        'validated_at': run.validated_at,
        'classes': run.classes,
        'image_groups': group_values_of(run),
        'forward_only': run.total('forward_only'),
        'training_seconds': _sum(run, 'train_seconds'),
        'refresh_seconds': _sum(run, 'refresh_seconds'),
        'decision_seconds': _sum(run, 'decide_seconds'),
        'total_seconds': run.total_seconds,
        'validation_seconds': run.validation_seconds,
        'wall_seconds': run.training_wall,
    }


def _sum(run: Run, key: str) -> float | None:
    """A sum over the records; None for a plain run."""
    return run.total(key) if run.records else None
