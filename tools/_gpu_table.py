"""The page of what was measured on a GPU, from its JSON."""

import json
from pathlib import Path
from typing import Any

PAGE = 'gpu.md'


def write_page(out: Path) -> None:
    """Write ``gpu.md`` beside the JSON, and print it."""
    about = json.loads((out / 'machine.json').read_text())
    lines = [_machine(about), '']
    costs = _all(out / 'costs')
    if costs:
        lines += [*_costs(costs), '']
    works = _all(out / 'works')
    if works:
        lines += [*_works(works), '']
    if (out / 'paper' / 'about.json').exists():
        from _gpu_paper import rows

        paper = json.loads((out / 'paper' / 'about.json').read_text())
        lines += _paper(paper, rows(out / 'paper'))
    text = '\n'.join(lines)
    (out / PAGE).write_text(text + '\n')
    print(text)


def _all(folder: Path) -> list[dict[str, Any]]:
    paths = sorted(folder.glob('*.json'), key=lambda p: p.stat().st_mtime)
    return [json.loads(path.read_text()) for path in paths]


def _machine(about: dict[str, Any]) -> str:
    versions = ', '.join(f'{k} {v}' for k, v in about.items() if k != 'card')
    return f'{about["card"]}; {versions}'


def _costs(rows: list[dict[str, Any]]) -> list[str]:
    head = '| model | batch | plain step | captured | weighted | scoring | '
    head += 'waits plain, captured, weighted | peak memory, MiB |'
    return [head, '|---|---|---|---|---|---|---|---|', *map(_cost, rows)]


def _cost(row: dict[str, Any]) -> str:
    start = f'| {row["model"]} | {row["images"]} |'
    if 'error' in row:
        return f'{start} {row["error"]} | | | | | |'
    ways = ' | '.join(
        f'{row[way]:.3f} ({row[way + "_low"]:.3f} to {row[way + "_high"]:.3f})'
        for way in ('captured', 'weighted', 'scoring')
    )
    waits = ', '.join(str(n) for n in row['waits'].values())
    peak = ', '.join(str(n) for n in list(row['peak_mib'].values())[:3])
    return f'{start} {row["plain_ms"]:.1f} ms | {ways} | {waits} | {peak} |'


def _works(rows: list[dict[str, Any]]) -> list[str]:
    passed = sum(row['passed'] for row in rows)
    lines = [f'{passed} of {len(rows)} checks passed.', '']
    lines += ['| check | | saved | seconds |', '|---|---|---|---|']
    for row in sorted(rows, key=lambda row: row['check']):
        verdict = 'pass' if row['passed'] else 'FAIL: ' + row.get('why', '')
        saved = f'{row["saved"]:.0%}' if 'saved' in row else ''
        cells = (row['check'], verdict, saved, str(row['seconds']))
        lines.append(f'| {" | ".join(cells)} |')
    return lines


def _paper(about: dict[str, Any], rows: list[dict[str, Any]]) -> list[str]:
    loader = about['loader_images_per_second']
    lines = [
        f'One process loads {loader:.0f} images a second.',
        '',
        (
            '| training | seed | epochs | saved | clean last, best | '
            'augmented last, best | seconds | speed-up | 1 / (1 - 2s/3) |'
        ),
        '|---|---|---|---|---|---|---|---|---|',
    ]
    for row in rows:
        cells = [row['name'], str(row['seed']), str(row['epochs'])]
        cells.append(f'{row["saved"]:.1%}')
        for key in ('clean', 'augmented'):
            cells.append(f'{row[key]:.2%}, {row[key + "_best"]:.2%}')
        cells.append(f'{row["seconds"]:.0f}')
        cells += [f'{row.get("speed_up", 0):.2f}', f'{row["limit"]:.2f}']
        lines.append(f'| {" | ".join(cells)} |')
    return lines
