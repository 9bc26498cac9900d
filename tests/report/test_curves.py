"""What the pictures draw is what the runs recorded."""

import json
from pathlib import Path

from ies_mm.report import curves


def run(work_dir: Path, excluded: list[int], mastered: list[int]) -> Path:
    (work_dir / 'ies').mkdir(parents=True)
    lines = [
        json.dumps({'epoch': i + 1, 'excluded': e, 'mastered': m})
        for i, (e, m) in enumerate(zip(excluded, mastered, strict=True))
    ]
    (work_dir / 'ies' / 'epochs.jsonl').write_text('\n'.join(lines))
    scalars = work_dir / '20260101_000000' / 'vis_data' / 'scalars.json'
    scalars.parent.mkdir(parents=True)
    scalars.write_text('{"mAP": 0.5, "step": 2}\n{"mAP": 0.7, "step": 4}\n')
    return work_dir


def test_a_run_shows_exclusions_and_a_dry_run_mastery(tmp_path: Path) -> None:
    ies = run(tmp_path / 'ies', [0, 3], [3, 4])
    dry = run(tmp_path / 'dry', [0, 0], [3, 4])
    assert curves._count_curve(ies) == ([1, 2], [0, 3])
    assert curves._count_curve(dry) == ([2, 3], [3, 4])
    assert curves._count_curve(tmp_path) is None
    assert curves._metric_curve(ies, 'mAP') == ([2, 4], [0.5, 0.7])


def test_a_picture_is_written(tmp_path: Path) -> None:
    ies = run(tmp_path / 'ies', [0, 3], [3, 4])
    curves.draw_curves({'IES': [ies]}, 'mAP', tmp_path / 'out.png')
    assert (tmp_path / 'out.png').read_bytes().startswith(b'\x89PNG')
