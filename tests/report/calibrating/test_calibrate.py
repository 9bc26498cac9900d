"""tools/calibrate.py on a real small dry run."""

import json
import runpy
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from commands import call
from ies_mm.commands.work_dir import dumped_config
from ies_mm.core import Criterion, LossHistory
from ies_mm.report.calibrating.recorded import read_recorded
from ies_mm.report.calibrating.settings import setting
from iteration_runs import IMAGES
from runs import train
from same_runs import by_epochs
from task_runs import make_folders, with_ies
from work_dirs import config_of, write_start

TOOL = Path(__file__).parents[3] / 'tools' / 'calibrate.py'
EPOCHS = 20
Refused = Callable[..., str]


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('calibrate')
    folders = make_folders(root / 'folders', IMAGES)
    config = by_epochs(folders, root / 'run')
    config.train_cfg.max_epochs = EPOCHS
    config.param_scheduler = []
    config.custom_imports = dict(imports=['ies_mm.engine'])
    hook = dict(delta=0.05, dry_run=True, keep_history=True)
    train(with_ies(config, **hook))
    return root / 'run'


def test_records_of_an_earlier_training_are_refused(
    run: Path, tmp_path: Path
) -> None:
    """A plain training went on in the same folder."""
    copy = tmp_path / 'copy'
    shutil.copytree(run, copy)
    [dumped] = copy.glob('*/vis_data/config.py')
    newest = copy / '29990101_000000' / 'vis_data'
    newest.mkdir(parents=True)
    plain = Config.fromfile(dumped)
    del plain.default_hooks['ies']
    plain.dump(newest / 'config.py')
    (newest / 'scalars.json').write_text('{"epoch": 1, "iter": 1, "step": 1}')
    result = call(TOOL, copy)
    assert result.returncode == 2
    assert 'is of an earlier run' in result.stderr
    assert result.stderr.count('\n') == 1


def test_table_json_and_picture(run: Path, tmp_path: Path) -> None:
    result = call(TOOL, run, '--images', '8', '--out', tmp_path)
    assert result.returncode == 0, result.stderr
    for word in (
        'variation',
        'rank correlation',
        'ceiling',
        'batches',
        'delta to try',
    ):
        assert word in result.stdout
    found = json.loads((tmp_path / 'calibration.json').read_text())
    assert found['terms'] == ['loss']
    assert found['noise_floor'] > 0
    losses = read_recorded(run).losses[:, :, 0].astype(float)
    second = np.abs(losses[-1] - 2 * losses[-2] + losses[-3])
    assert found['variations']['2'][:2] == [None, None]
    assert found['variations']['2'][-1] == pytest.approx(
        np.sqrt(((second - second.mean()) ** 2).mean()) / second.mean()
    )
    assert found['noise']['batches'][-1] > 0
    assert found['noise']['dropout'] == [0, 0]
    with Image.open(tmp_path / 'calibration.png') as picture:
        assert min(picture.size) > 500


def test_scores_are_the_criterion_of_the_hook(run: Path) -> None:
    recorded = read_recorded(run)
    scores = recorded.scores(Criterion(0))
    history = LossHistory(IMAGES, 1, 5)
    for epoch, losses in enumerate(recorded.losses):
        history.observe(torch.arange(IMAGES), torch.from_numpy(losses))
        known = scores[epoch][np.isfinite(scores[epoch])]
        delta = float(np.median(known)) if len(known) else 1.0
        mastered = Criterion(delta).mastered(history, ['loss'])
        assert mastered.tolist() == (scores[epoch] < delta).tolist()


def test_what_a_delta_would_have_saved() -> None:
    draw = np.random.default_rng(0)
    scores = draw.random((10, 50))
    scores[:5] = np.nan
    found = setting(scores, 0.2)
    literal = sum(
        scores[epoch, image] < found.delta
        for epoch in range(9)  # the last decision saves nothing
        for image in range(50)
    )
    assert found.saved == pytest.approx(literal / 500)
    assert found.saved == pytest.approx(0.2, abs=0.005)


def test_other_criteria(run: Path, tmp_path: Path) -> None:
    options = ('--order', '1', '--window', '2', '--terms', 'loss')
    result = call(TOOL, run, *options, '--images', '0', '--out', tmp_path)
    assert result.returncode == 0, result.stderr
    found = json.loads((tmp_path / 'calibration.json').read_text())
    assert (found['criterion']['order'], found['noise']) == (1, None)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--terms', 'loss_bbox'], "no term 'loss_bbox'; it has loss"),
        (['--order', '7'], 'order=7: give an integer from 0 to 3'),
        (['--window', '18'], 'the run has 20 epochs'),
    ],
)
def test_bad_arguments(
    run: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    out = tmp_path / 'out'
    result = call(TOOL, run, *arguments, '--images', '0', '--out', out)
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert message in line
    assert not out.exists()


def copy_of(run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run, tmp_path / 'other'))


@pytest.fixture
def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Refused:
    """The one-line error of a failing call in this process."""

    def run_tool(*command: object) -> str:
        monkeypatch.syspath_prepend(TOOL.parent)
        monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, command)])
        with pytest.raises(SystemExit) as left:
            runpy.run_path(str(TOOL), run_name='__main__')
        assert left.value.code == 2
        [line] = capsys.readouterr().err.splitlines()
        assert line.startswith('tools/calibrate.py: error: ')
        return str(line)

    return run_tool


def test_a_run_that_is_too_short_loads_nothing(
    run: Path, tmp_path: Path, refused: Refused
) -> None:
    """Although its checkpoint could not be loaded, either."""
    other = copy_of(run, tmp_path)
    (other / f'epoch_{EPOCHS}.pth').write_bytes(b'junk')
    assert 'the run has 20 epochs' in refused(other, '--window', '18')


@pytest.mark.parametrize('content', [b'', b'junk', 1000])
def test_a_checkpoint_that_is_damaged(
    run: Path, tmp_path: Path, refused: Refused, content: bytes | int
) -> None:
    other = copy_of(run, tmp_path)
    path = other / f'epoch_{EPOCHS}.pth'
    begin = path.read_bytes()[:content] if content == 1000 else content
    path.write_bytes(begin)
    line = refused(other)
    assert f'{path} cannot be loaded (give --images 0): ' in line


def test_a_checkpoint_of_another_model(
    run: Path, tmp_path: Path, refused: Refused
) -> None:
    """It would leave weights at their random values."""
    other = copy_of(run, tmp_path)
    path = other / f'epoch_{EPOCHS}.pth'
    content = torch.load(path, weights_only=False)
    content['state_dict'].popitem()
    torch.save(content, path)
    assert f'{path} cannot be loaded' in refused(other)


def test_an_image_that_is_broken(
    run: Path, tmp_path: Path, refused: Refused
) -> None:
    other = copy_of(run, tmp_path)
    folders = copy_of(run.parent / 'folders', tmp_path / 'data')
    [dumped] = other.glob('*/vis_data/config.py')
    text = dumped.read_text()
    dumped.write_text(text.replace(str(run.parent / 'folders'), str(folders)))
    image = next(iter(sorted(folders.glob('*/*.png'))))
    image.write_bytes(b'no image')
    assert f'{image} cannot be loaded (give --images 0): ' in refused(other)


@pytest.mark.parametrize(
    ('text', 'named'),
    [
        ('default_hooks = []', 'default_hooks is [], not a dict'),
        ('train_dataloader = "x"', "train_dataloader is 'x', not a dict"),
        (f'x = {"-" * 100_000}1', 'nested too deeply'),
        ('model = dict(type="None")', 'cannot be run (give --images 0'),
        ('train_dataloader = dict(batch_size=2)', 'cannot be run'),
    ],
)
def test_a_config_of_another_form(
    run: Path, tmp_path: Path, refused: Refused, text: str, named: str
) -> None:
    other = copy_of(run, tmp_path)
    [dumped] = other.glob('*/vis_data/config.py')
    dumped.write_text(f'{dumped.read_text()}\n{text}\n')
    assert named in refused(other)


@pytest.mark.parametrize(
    ('arguments', 'named'),
    [
        (['--images', '-3'], '-3: give an integer >= 0'),
        (['--images', 'x'], 'x: give an integer >= 0'),
        (['--terms', 'loss=1', 'loss=2'], 'loss=2: give each name once'),
        (['--terms', 'loss=x'], '--terms: could not convert string to float'),
    ],
)
def test_words_that_cannot_be_used(
    run: Path, refused: Refused, arguments: list[str], named: str
) -> None:
    assert named in refused(run, *arguments)


def test_a_run_that_kept_nothing(tmp_path: Path) -> None:
    result = call(TOOL, tmp_path)
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert 'instances.npz is missing; train with' in line
    assert 'keep_history=True' in line


def test_a_work_directory_that_was_moved(run: Path, tmp_path: Path) -> None:
    moved = tmp_path / 'moved'
    shutil.copytree(run, moved)
    (moved / 'last_checkpoint').write_text(f'/gone/epoch_{EPOCHS}.pth')
    # Another script must not be mistaken for the config.
    (moved / 'zzz.py').write_text('print("hello")')
    result = call(TOOL, moved, '--images', '8')
    assert result.returncode == 0, result.stderr


def test_a_checkpoint_that_was_deleted(run: Path, tmp_path: Path) -> None:
    other = tmp_path / 'other'
    shutil.copytree(run, other)
    (other / 'last_checkpoint').write_text('/gone/epoch_99.pth')
    result = call(TOOL, other)
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert 'has no checkpoint' in line


def test_the_run_s_own_criterion(run: Path, tmp_path: Path) -> None:
    other = tmp_path / 'other'
    shutil.copytree(run, other)
    [dumped] = other.glob('*/vis_data/config.py')
    text = dumped.read_text()
    assert 'delta=0.05' in text
    dumped.write_text(text.replace('delta=0.05', 'delta=0.05, order=1'))
    result = call(TOOL, other, '--images', '0')
    assert result.returncode == 0, result.stderr
    found = json.loads((other / 'ies' / 'calibration.json').read_text())
    assert found['criterion']['order'] == 1


def test_a_test_is_not_the_training(run: Path, tmp_path: Path) -> None:
    """MMEngine makes it a folder with a config, too."""
    other = tmp_path / 'other'
    shutil.copytree(run, other)
    write_start(
        other, config_of(0), [{'acc': 0.5, 'step': 0}], stamp='29990101_000000'
    )
    assert dumped_config(other).default_hooks.ies.type == 'IESHook'


def test_images_that_are_gone(run: Path, tmp_path: Path) -> None:
    other = tmp_path / 'other'
    shutil.copytree(run, other)
    [dumped] = other.glob('*/vis_data/config.py')
    folders = str(run.parent / 'folders')
    text = dumped.read_text()
    assert folders in text
    dumped.write_text(text.replace(folders, '/gone'))
    result = call(TOOL, other)
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert 'looked for /gone, which is not there' in line


def test_a_run_without_a_checkpoint(run: Path, tmp_path: Path) -> None:
    (tmp_path / 'ies').mkdir()
    name = 'ies/instances.npz'
    (tmp_path / name).write_bytes((run / name).read_bytes())
    result = call(TOOL, tmp_path)
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert 'has no config' in line
    assert '--images 0' in line
