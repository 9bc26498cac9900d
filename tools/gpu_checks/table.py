"""Results on GPUs: one JSON file per run, and a page from all of them."""

import json
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[2] / 'docs'
RUNS = DOCS / 'gpu_runs'
PAGE = DOCS / 'gpu.md'
RUN = 'run.json'
HEAD = """\
# On a GPU

What IES costs on a GPU, and whether it works there. `make gpu` measures it on
yours in about {minutes} minutes and prints the results; without a network, see
[docs/install.md](install.md#a-machine-without-a-network).

```
make gpu                                   # all parts that fit
make gpu GPU='--parts costs --minutes 4'   # only what capturing costs
make gpu GPU=--rehearse                    # everything on a CPU, at toy size
.venv/bin/python tools/gpu.py --add NAME   # add the results to this page
```
- *costs*: shipped models on random images, forward and backward. Captured,
  weighted and scoring: the step's time relative to the plain step's, the
  median of paired rounds with quartiles, timed with CUDA events. *Waits*: how
  often the host waits for the device in a step.
- *works*: a detector, a segmentor and a classifier, 8 short epochs each.
- *paper*: ResNet-18 on CIFAR-10, with SGD(E) compressed from 200 epochs to as
  many as fit: the learning rate ends at the same value. *Augmented*: test
  images with the training transform, as in the authors' program. *Clean*:
  without it. *1 / (1 - 2s/3)*: the ideal speed-up for a saved fraction *s* if
  scoring an image costs a third of a training step.
"""
NONE_YET = 'No runs yet.'


def gather(out: Path) -> dict[str, Any]:
    """Collect the parts' results, also if they were cut off."""
    found: dict[str, Any] = dict(machine=_read(out / 'machine.json'))
    found['costs'] = _all(out / 'costs')
    found['works'] = _all(out / 'works')
    if (out / 'paper' / 'about.json').exists():
        from gpu_checks.paper_rows import rows

        found['paper'] = dict(
            about=_read(out / 'paper' / 'about.json'),
            rows=rows(out / 'paper'),
        )
    (out / RUN).write_text(json.dumps(found, indent=1) + '\n')
    return found


def tables(run: dict[str, Any]) -> str:
    """Format a run as Markdown."""
    lines = [_machine(run['machine']), '']
    if run['costs']:
        lines += [*_costs(run['costs']), '']
    if run['works']:
        lines += [*_works(run['works']), '']
    if 'paper' in run:
        lines += [*_paper(run['paper']), '']
    return '\n'.join(lines)


def page(minutes: int, runs: Path = RUNS) -> str:
    """``docs/gpu.md``: every run of a folder, the newest first."""
    parts = [HEAD.format(minutes=minutes)]
    paths = sorted(runs.glob('*.json'), reverse=True)
    if not paths:
        parts.append(NONE_YET + '\n')
    for path in paths:
        run = _read(path)
        parts.append(f'## {path.stem}\n{run.get("note", "")}\n{tables(run)}')
    return '\n'.join(parts).rstrip() + '\n'


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def _all(folder: Path) -> list[dict[str, Any]]:
    paths = sorted(folder.glob('*.json'), key=lambda p: p.stat().st_mtime)
    return [_read(path) for path in paths]


def _machine(about: dict[str, Any]) -> str:
    versions = ', '.join(f'{k} {v}' for k, v in about.items() if k != 'card')
    return f'{about["card"]}; {versions}.'


def _row(*cells: str) -> str:
    return f'| {" | ".join(cells)} |'


def _head(*cells: str) -> list[str]:
    return [_row(*cells), '|---' * len(cells) + '|']


def _costs(rows: list[dict[str, Any]]) -> list[str]:
    head = ['model', 'batch', 'plain step', 'captured', 'weighted', 'scoring']
    head += ['waits: plain, captured, weighted', 'peak memory, MiB']
    return [*_head(*head), *map(_cost, rows)]


def _cost(row: dict[str, Any]) -> str:
    start = [row['model'], str(row['images'])]
    if 'error' in row:
        return _row(*start, row['error'], *[''] * 5)
    ways = [
        f'{row[way]:.3f} ({row[way + "_low"]:.3f} to {row[way + "_high"]:.3f})'
        for way in ('captured', 'weighted', 'scoring')
    ]
    waits = _numbers(row['waits'])
    peak = _numbers(row['peak_mib'])
    return _row(*start, f'{row["plain_ms"]:.1f} ms', *ways, waits, peak)


def _numbers(by_way: dict[str, int | None]) -> str:
    """All but scoring; empty on a CPU."""
    values = list(by_way.values())[:3]
    return ', '.join(str(value) for value in values if value is not None)


def _works(rows: list[dict[str, Any]]) -> list[str]:
    passed = sum(row['passed'] for row in rows)
    lines = [f'{passed} of {len(rows)} checks passed.', '']
    lines += _head('check', '', 'saved')
    for row in sorted(rows, key=lambda row: row['check']):
        verdict = 'pass' if row['passed'] else f'**fail**: {row["why"]}'
        saved = f'{row["saved"]:.0%}' if 'saved' in row else ''
        lines.append(_row(row['check'], verdict, saved))
    return lines


def _paper(part: dict[str, Any]) -> list[str]:
    speed = part['about'].get('loader_images_per_second')
    lines = [f'One process loads {speed:.0f} images per second.', '']
    lines += _head(
        *('training', 'seed', 'epochs', 'saved', 'clean: last, best'),
        *('augmented: last, best', 'seconds', 'speed-up', '1 / (1 - 2s/3)'),
    )
    for row in part['rows']:
        cells = [row['name'], str(row['seed'])]
        cells.append(f'{row["epochs"]} of {row["planned"]}')
        cells.append(f'{row["saved"]:.1%}')
        for key in ('clean', 'augmented'):
            cells.append(f'{row[key]:.2%}, {row[key + "_best"]:.2%}')
        speed = f'{row["speed_up"]:.2f}' if 'speed_up' in row else ''
        cells += [f'{row["seconds"]:.0f}', speed, f'{row["limit"]:.2f}']
        lines.append(_row(*cells))
    return lines
