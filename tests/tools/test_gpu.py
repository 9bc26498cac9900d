"""tools/gpu.py at toy size on a CPU, and its results when cut off."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from commands import call
from ies_mm.core import Standing

ROOT = Path(__file__).resolve().parents[2]
GPU = ROOT / 'tools' / 'gpu.py'
pytestmark = pytest.mark.skipif(
    torch.cuda.is_available(), reason='make gpu itself can be run here'
)


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / 'tools')


@pytest.fixture
def jpegs(tmp_path: Path) -> Path:
    """Ten classes with two training and two test images each."""
    generator = np.random.default_rng(0)
    for split in ('train', 'test'):
        for number in range(20):
            folder = tmp_path / 'cifar' / split / f'class{number % 10}'
            folder.mkdir(parents=True, exist_ok=True)
            pixels = generator.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            cv2.imwrite(str(folder / f'{number}.jpg'), pixels)
    return tmp_path / 'cifar'


def rehearse(out: Path, *options: Any) -> Any:
    command = (GPU, '--rehearse', '--out', out, *options)
    return call(*command, OMP_NUM_THREADS='1')


def test_rehearsal_of_every_part(tmp_path: Path, jpegs: Path) -> None:
    out = tmp_path / 'out'
    options = ('--models', 'ResNet-18 (CIFAR)', '--data', jpegs)
    result = rehearse(out, *options)
    assert result.returncode == 0, result.stderr[-2000:]
    run = json.loads((out / 'run.json').read_text())
    assert run['machine']['torch'] == torch.__version__
    [cost] = run['costs']
    assert 0.2 < cost['captured'] < 5
    assert all(check['passed'] for check in run['works']), run['works']
    names = [row['name'] for row in run['paper']['rows']]
    assert names == ['plain', 'IES', 'random pruning', 'short plain']
    plain, ies, random, shorter = run['paper']['rows']
    assert 0 < ies['saved'] == random['saved']
    fitted = round(plain['epochs'] * (1 - ies['saved'] * 2 / 3))
    assert shorter['epochs'] == shorter['planned'] == fitted
    assert all(row['name'] in result.stdout for row in run['paper']['rows'])
    assert 'classifier two processes | pass' in result.stdout


def test_what_is_cut_off_is_kept(tmp_path: Path, tools: None) -> None:
    """A part that never ends, with one result written and others started."""
    import argparse

    import gpu
    from gpu_checks.table import gather, tables

    out = tmp_path / 'out'
    (out / 'works').mkdir(parents=True)
    (out / 'machine.json').write_text(json.dumps(dict(card='a card')))
    part = tmp_path / 'part.py'
    part.write_text(
        'import json, subprocess, sys, time\n'
        'from pathlib import Path\n'
        f'out = Path({str(out)!r})\n'
        'found = dict(check="a check", passed=True, why="", seconds=1)\n'
        '(out / "works" / "one.json").write_text(json.dumps(found))\n'
        'tick = "import time, pathlib, sys\\nwhile True:\\n"\n'
        'tick += "    pathlib.Path(sys.argv[1]).touch(); time.sleep(0.05)"\n'
        'subprocess.Popen([sys.executable, "-c", tick, str(out / "tick")])\n'
        'time.sleep(60)\n'
    )
    gpu.__file__, kept = str(part), gpu.__file__
    arguments = argparse.Namespace(
        out=out, rehearse=True, models=None, data='', epochs=None
    )
    try:
        gpu._in_a_process('works', arguments, 3)
    finally:
        gpu.__file__ = kept
    ticked = (out / 'tick').stat().st_mtime
    time.sleep(0.5)
    assert (out / 'tick').stat().st_mtime == ticked
    assert '| a check | pass |' in tables(gather(out))


def test_the_page_says_how_where_no_run_took_place(
    tmp_path: Path, tools: None
) -> None:
    from gpu_checks.table import NONE_YET, page

    assert NONE_YET in page(9, tmp_path)
    assert 'make gpu ' in page(9, tmp_path)


def test_the_page_is_that_of_the_runs(tools: None) -> None:
    import gpu
    from gpu_checks.table import PAGE, page

    assert PAGE.read_text() == page(gpu.MINUTES)


def test_without_a_card_one_line_says_so(tmp_path: Path) -> None:
    result = call(GPU, '--out', tmp_path / 'out')
    assert result.returncode == 2
    assert 'no CUDA device here; --rehearse' in result.stderr
    assert not (tmp_path / 'out').exists()


def test_as_many_images_as_the_other_run_left_out(
    tmp_path: Path, tools: None
) -> None:
    from gpu_checks.cifar import RemoveAsMany

    (tmp_path / 'ies').mkdir()
    lines = [json.dumps(dict(excluded=n)) for n in (0, 3, 7)]
    (tmp_path / 'ies' / 'epochs.jsonl').write_text('\n'.join(lines))
    method = RemoveAsMany(str(tmp_path))
    method.begin_training(instances=11, seed=0)
    left = [
        len(method.first_selection(Standing(11, epoch, 4)).excluded)
        for epoch in range(4)
    ]
    assert left == [0, 3, 7, 0]


def test_augmented_images_are_crops_of_the_padded_ones(tools: None) -> None:
    from gpu_checks.cifar import PAD, augmented

    pixels = torch.arange(2 * 3 * 32 * 32).reshape(2, 3, 32, 32).float() + 1
    padded = torch.nn.functional.pad(pixels, [PAD] * 4)
    for number, image in enumerate(augmented(pixels, 0)):
        crops = (
            padded[number, :, top : top + 32, left : left + 32]
            for top in range(9)
            for left in range(9)
        )
        assert any(
            torch.equal(image, one)
            for crop in crops
            for one in (crop, crop.flip(2))
        )


def test_hidden_packages_are_not_there(tmp_path: Path, tools: None) -> None:
    from carry import hidden_wheel

    hidden_wheel(tmp_path, 'torch')
    [wheel] = tmp_path.glob('*.whl')
    code = (
        'from importlib.metadata import version\n'
        'assert version("torch") == "0"\n'
        'try:\n    import torch\nexcept ImportError:\n    sys.exit(7)\n'
    )
    result = call('-c', f'import sys\n{code}', PYTHONPATH=str(wheel))
    assert result.returncode == 7, result.stderr
    sys.modules.pop('carry')
