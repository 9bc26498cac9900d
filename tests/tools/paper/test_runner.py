"""Runs of an experiment: made, resumed, left alone; the files."""

import json
from importlib import import_module
from typing import Any

import pytest
from PIL import Image

FIGURES = tuple(f'figure{number}' for number in range(1, 8))
TABLES = tuple(
    f'table{number}' for number in (1, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14)
)


@pytest.mark.parametrize('name', [*FIGURES, *TABLES])
def test_files(
    part: Any, made: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All written by the command from existing runs; nothing is trained."""
    found = made(name)
    tool = import_module('paper')
    out = found.runs.paths(next(iter(found.made)))[0].parents[3]
    workshop = part('runner').Workshop(found.runs.scale, out, out / 'images')
    files = tool._files(found.experiment, found.found, workshop)
    if name in TABLES:
        [text] = files.values()
        assert all(claim.says in text.decode() for claim in found.found.claims)
        return
    picture, text = files[f'{name}.png'], files[f'{name}.json']
    (out / 'p.png').write_bytes(picture)
    with Image.open(out / 'p.png') as image:
        assert min(image.size) > 250
    content = json.loads(text)
    assert len(content['panels']) == len(found.found.panels)
    assert content['claims']
    for claim in content['claims']:
        assert claim['holds'] in ('yes', 'no', 'inconclusive')


def test_what_was_stopped_goes_on(trained: Any) -> None:
    train_once, folder = trained
    run = folder / 'run'
    (folder / 'fails').touch()
    with pytest.raises(
        Exception, match=r'a training run failed, see .*output.log'
    ):
        train_once(run, ['config.py'], 'said', resume=True)
    (run / 'epoch_3.pth').touch()
    (folder / 'fails').unlink()
    assert train_once(run, ['config.py'], 'said', resume=True)
    assert (run / 'epoch_3.pth').exists()
    assert not train_once(run, ['config.py'], 'said', resume=True)
    first, second = (folder / 'calls').read_text().splitlines()
    assert first == f'config.py --work-dir {run}'
    assert second == f'config.py --work-dir {run} --resume'


def test_without_resume_it_begins_anew(trained: Any) -> None:
    train_once, folder = trained
    run = folder / 'run'
    run.mkdir()
    (run / 'training_begun').write_text('said')
    (run / 'epoch_3.pth').touch()
    assert train_once(run, ['config.py'], 'said')
    assert not (run / 'epoch_3.pth').exists()
    assert '--resume' not in (folder / 'calls').read_text()


@pytest.mark.parametrize('mark', ['training_begun', 'trained_to_the_end'])
def test_a_run_of_another_setting_is_left_alone(
    trained: Any, mark: str
) -> None:
    train_once, folder = trained
    run = folder / 'run'
    run.mkdir()
    (run / mark).write_text('seed = 0\ndelta = 0.1\n')
    said = 'seed = 0\ndelta = 0.2\n'
    message = r'other settings \(delta = 0.1; now delta = 0.2\)'
    with pytest.raises(Exception, match=message):
        train_once(run, ['config.py'], said, resume=True)
    assert not (folder / 'calls').exists()


def test_somebody_else_s_folder_is_left_alone(trained: Any) -> None:
    train_once, folder = trained
    (folder / 'run').mkdir()
    (folder / 'run' / 'thesis.tex').touch()
    with pytest.raises(Exception, match='holds something other'):
        train_once(folder / 'run', ['config.py'], 'said', resume=True)
    assert (folder / 'run' / 'thesis.tex').exists()
