"""tools/paper.py: experiments on synthetic runs, the runner, bad input."""

import json
import sys
import tarfile
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from commands import call
from ies_mm.core.reference import ReferenceIES
from ies_mm.report.reading.runs import read_run
from paper_runs import EPOCHS, IMAGES, VALIDATED, Made
from work_dirs import (
    config_of,
    epoch_log,
    epoch_scalars,
    record,
    write_records,
    write_start,
)

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / 'tools' / 'paper.py'
FIGURES = tuple(f'figure{number}' for number in range(1, 8))
TABLES = ('table12', 'table13')


@pytest.fixture(scope='module')
def part() -> Iterator[Callable[[str], ModuleType]]:
    """Imports a module of the tool by its name."""
    sys.path.append(str(TOOL.parent))
    yield lambda name: import_module(f'paper_experiments.{name}')
    sys.path.remove(str(TOOL.parent))


class Set:
    """An experiment with synthetic runs."""

    def __init__(self, part: Any, name: str, out: Path) -> None:
        scale = part('scales').SMALL
        self.experiment = part('declared').EXPERIMENTS[name]
        workshop = part('runner').Workshop(scale, out, out / 'images')
        self.made: dict[Any, Made] = {}
        for number, job in enumerate(workshop.jobs_of(self.experiment)):
            hook = dict(job.training.hook) or None
            run = Made(job.work_dir, number, hook)
            self.made[job.training] = run
            (job.work_dir / 'trained_to_the_end').write_text(job.said)
        self.runs = workshop.make(self.experiment)
        self.found = self.experiment.read(self.runs)

    def of(self, name: str) -> Made:
        """A training by its method's name, or by a prefix of it."""
        named = {t.method: run for t, run in self.made.items()}
        begun = [run for key, run in named.items() if key.startswith(name)]
        return named.get(name) or begun[0]


@pytest.fixture
def made(part: Any, tmp_path: Path) -> Callable[[str], Set]:
    return lambda name: Set(part, name, tmp_path / name)


def test_every_element_of_the_paper_is_listed(part: Any) -> None:
    declared = part('declared')
    assert len(declared.NAMES) == 7 + 14
    assert {*declared.EXPERIMENTS} == {*FIGURES, *TABLES}


@pytest.mark.parametrize('scale', ['small', 'paper'])
def test_configs_are_what_the_scale_says(
    part: Any, tmp_path: Path, scale: str
) -> None:
    size = part('scales').SCALES[scale]
    data = tmp_path if scale == 'small' else None
    workshop = part('runner').Workshop(size, tmp_path, data)
    jobs: dict[Path, Any] = {}
    for experiment in part('declared').EXPERIMENTS.values():
        for job in workshop.jobs_of(experiment):
            # Two experiments that share a folder share the run in it.
            assert jobs.setdefault(job.work_dir, job).said == job.said
    assert len({job.said for job in jobs.values()}) == len(jobs)
    kinds = {
        (t.data, t.optimiser, t.of_figure_4, bool(t.hook)): job
        for job in jobs.values()
        for t in [job.training]
    }
    for (name, optimiser, of_figure_4, _), job in kinds.items():
        cfg = Config.fromstring(job.config, '.py')
        assert cfg.train_cfg.max_epochs == size.length(name, of_figure_4)
        kind = 'Adam' if optimiser == 'adam' else 'SGD'
        assert cfg.optim_wrapper.optimizer.type == kind
        if scale == 'paper':
            large = of_figure_4 or name == 'imagenet'
            assert cfg.train_dataloader.batch_size == (128 if large else 64)
        if hook := dict(job.training.hook):
            assert cfg.train_dataloader.sampler.type == 'IESSampler'
            assert cfg.default_hooks.ies.to_dict() == hook


def test_figure1(made: Any) -> None:
    found = made('figure1')
    accuracy, excluded = found.found.panels
    assert [line.label for line in accuracy.lines] == ['No Removal', 'IES']
    for line, name in zip(accuracy.lines, ('plain', 'ies'), strict=True):
        run = found.of(name)
        assert dict(zip(line.x, line.y, strict=True)) == run.accuracy
    counts = found.of('ies').excluded.sum(axis=1)
    assert excluded.lines[0].y == counts.tolist()


def test_figure2_counts_with_the_literal_criterion(made: Any) -> None:
    found = made('figure2')
    delta = found.runs.scale.delta_of_figure_4
    losses = found.of('dry').losses
    for order in (0, 1, 2):
        rule = ReferenceIES(IMAGES, delta, order)
        wanted = [
            sum(rule.step({i: [float(x)] for i, x in enumerate(row)}))
            for row in losses
        ]
        wet, dry = found.found.panels[0].lines[2 * order : 2 * order + 2]
        assert dry.y == wanted
        run = found.of(f'ies_order{order}')
        assert wet.y == [int(out) + 1 for out in run.excluded.sum(axis=1)]


def variation(losses: np.ndarray, order: int) -> float:
    """Variation after the last epoch, image by image."""
    values = []
    for image in range(losses.shape[1]):
        curve = [float(x) for x in losses[:, image]]
        for _ in range(order):
            curve = [b - a for a, b in pairwise(curve)]
        values.append(abs(curve[-1]))
    mean = sum(values) / len(values)
    return (sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5 / mean


@pytest.mark.parametrize('name', ['figure3', 'figure6'])
def test_figures_3_and_6(made: Any, name: str) -> None:
    found = made(name)
    [panel] = found.found.panels
    assert list((panel.levels or {}).values()) == [pytest.approx(0.7555, 1e-4)]
    losses = found.of('dry').losses
    for order, line in enumerate(panel.lines):
        for epoch in range(order, EPOCHS):
            wanted = variation(losses[: epoch + 1], order)
            assert line.y[epoch] == pytest.approx(wanted, rel=1e-9)
        assert np.isnan(line.y[:order]).all()


def test_figure4_is_over_backpropagated_images(made: Any) -> None:
    found = made('figure4')
    panels = found.found.panels
    assert [panel.title for panel in panels] == ['SGD'] * 5 + ['Adam'] * 5
    keys = ('gradient_norm', 'loss', 'sam', 'top_eigenvalue')
    for first, optimiser in ((0, 'sgd_e'), (5, 'adam')):
        for k, who in enumerate(('plain', 'ies')):
            [run] = [
                run
                for t, run in found.made.items()
                if t.optimiser == optimiser and t.method.startswith(who)
            ]
            at = {d['epoch']: d['instances'] for d in run.dynamics}
            error = panels[first].lines[k]
            assert error.x == [at[epoch] for epoch in VALIDATED]
            assert error.y == [100 - a for a in run.accuracy.values()]
            for panel, key in zip(panels[first + 1 :], keys, strict=False):
                lines = [d for d in run.dynamics if d[key] is not None]
                assert panel.lines[k].x == [d['instances'] for d in lines]
                assert panel.lines[k].y == [d[key] for d in lines]


def test_how_much_of_the_way_a_line_is_above(part: Any) -> None:
    line = part('panels').Line
    above = part('dynamics').share_above
    level, rise = line('', [0, 10], [5, 5]), line('', [0, 20], [0, 20])
    # Above from 5 on, where both are defined.
    assert above(rise, level, 0) == pytest.approx(0.5, abs=0.02)
    assert above(rise, level, 6) == 1
    assert above(level, rise, 6) == 0
    assert above(rise, level, float('inf')) is None


def test_figure5(made: Any) -> None:
    found = made('figure5')
    upper, *lower = found.found.panels
    labels = [line.label for line in upper.lines]
    assert labels == [
        'IES, loss', 'IES, 1st order', 'IES, 2nd order', 'IES, 3rd order',
        'Random Remove', 'Small Loss & Rescale',
    ]  # fmt: skip
    for line, name in zip(
        upper.lines,
        ('ies_order0', 'ies_order1', 'ies_order2', 'ies_order3',
         'randomremoval', 'smalllossrescale'),
        strict=True,
    ):  # fmt: skip
        points = sorted(
            (run.saved, run.accuracy[VALIDATED[-1]])
            for t, run in found.made.items()
            if t.method.startswith(name)
        )
        assert line.x == pytest.approx([x for x, _ in points])
        assert line.y == [y for _, y in points]
    plain = found.of('plain')
    time, excluded, accuracy = (panel.lines[0] for panel in lower)
    assert time.x == [0.01, 0.1, 1, 10, 100]
    for k, factor in enumerate(time.x):
        run = found.of(f'ies_order2_delta{0.1 * factor:g}')
        ratio = round(run.wall) / round(plain.wall)
        assert time.y[k] == pytest.approx(ratio, abs=0.02)
        assert excluded.y[k] == pytest.approx(run.saved)
        assert accuracy.y[k] == run.accuracy[VALIDATED[-1]]


def test_epochs_that_are_not_trained_any_more_are_excluded(
    part: Any, tmp_path: Path
) -> None:
    records = [record(e, 0, instances=10, trained=10) for e in (1, 2, 3)]
    write_records(tmp_path / 'run', records)
    config = config_of(0, {'delta': 9.0}, train_cfg__max_epochs=12)
    scalars = epoch_scalars({3: 50.0}, 3, 'accuracy/top1')
    write_start(tmp_path / 'run', config, scalars, epoch_log(3))
    run = read_run(tmp_path / 'run')
    assert run.saved == 0
    assert part('experiment').share_excluded(run) == pytest.approx(0.75)


def test_most_saved_within_a_point(part: Any) -> None:
    most = part('sweep_claims').most_saved_within
    saved = [0.1, 0.3, 0.5, 0.8]
    assert most(saved, [94, 94, 93.5, 90], 93) == 0.5
    # A good value beyond a gap is chance.
    assert most(saved, [94, 92, 94, 94], 93) == 0.1
    assert most(saved, [92, 94, 94, 94], 93) is None


def test_the_best_criterion_is_the_best_where_all_lines_are(
    part: Any,
) -> None:
    line, panel = part('panels').Line, part('panels').Panel
    claims = part('sweep_claims')
    lines = [
        line(claims.SECOND_ORDER, [0.1, 0.5], [90.0, 90.0]),
        # Better, but outside the other's range.
        line('Random Remove', [0.0, 0.2], [95.0, 85.0]),
    ]
    drawn = panel('', '', '', lines, {claims.NO_REMOVAL: 91.0})
    for seeds, verdict in ((3, 'yes'), (1, 'cannot be said')):
        most, lost, best = claims.claims_of(drawn, 'cifar10', seeds)
        assert most.ours == '50%'
        assert (lost.ours, lost.holds) == ('1.0 points', verdict)
        assert best.holds == verdict
        assert 'IES, 2nd order 90.0, Random Remove 87.5' in best.ours


def test_figure7(made: Any) -> None:
    found = made('figure7')
    lines = found.found.panels[0].lines
    assert [line.label for line in lines[:2]] == [
        'IES, 2nd order',
        'InfoBatch',
    ]
    plain, batch = found.of('plain'), found.of('infobatch')
    assert lines[1].x == pytest.approx([batch.saved])
    assert lines[1].y == [pytest.approx(batch.wall / plain.wall, abs=0.02)]


def test_tables_12_and_13(made: Any) -> None:
    found = made('table12')
    run = found.of('ies')
    # One of twenty: 5%.
    first = np.where(run.excluded.any(0), run.excluded.argmax(0), EPOCHS)
    candidates = np.flatnonzero(first == first.min())
    rows = [
        line.split(' | ')
        for line in found.found.table.splitlines()
        if line.startswith('| ours')
    ]
    assert [row[1] for row in rows] == ['3', '6', '9', '12']
    for row, epoch in zip(rows, (3, 6, 9, 12), strict=True):
        assert row[2] == f'{run.losses[epoch - 1].mean():.6f}'
        assert row[3] in [
            f'{run.losses[epoch - 1, i]:.6f}' for i in candidates
        ]
        assert row[4] == f'{run.correct[epoch - 1].mean():.2%}'
    assert '| paper | 50 | 0.120135 | 0.001003 | 95.96% | 100.00% |' in (
        found.found.table
    )
    again = made('table13')
    back = [
        sum(
            bool(a and not b)
            for a, b in pairwise(again.of('ies').excluded[:, image])
        )
        for image in candidates
    ]
    texts = [f'| most | 26 | {times} |' for times in back]
    assert any(text in again.found.table for text in texts)


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
        assert claim['holds'] in ('yes', 'no', 'cannot be said')


STUB = '''"""In the place of tools/train.py."""
import sys
from pathlib import Path
work_dir = Path(sys.argv[sys.argv.index('--work-dir') + 1])
calls = work_dir.parent / 'calls'
with calls.open('a') as file:
    print(*sys.argv[1:], file=file)
sys.exit((work_dir.parent / 'fails').exists())
'''


@pytest.fixture
def trained(
    part: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Any, Path]:
    """``train_once`` with a training that records how it was called."""
    stub = tmp_path / 'stub.py'
    stub.write_text(STUB)
    module = import_module('ies_mm.commands.trainings')
    monkeypatch.setattr(module, 'TRAIN', (sys.executable, stub))
    return module.train_once, tmp_path


def test_what_was_stopped_goes_on(trained: Any) -> None:
    train_once, folder = trained
    run = folder / 'run'
    (folder / 'fails').touch()
    with pytest.raises(
        Exception, match=r'a training failed, see .*output.log'
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


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """More images than needed, and some unrelated files."""
    for split, number in (('train', 102), ('test', 3)):
        for name in ('cat', 'dog'):
            folder = tmp_path / 'images' / split / name
            folder.mkdir(parents=True)
            for k in range(number):
                shade = np.full((4, 4, 3), k, dtype=np.uint8)
                cv2.imwrite(str(folder / f'{k:04}.jpg'), shade)
    (tmp_path / 'images' / 'other').mkdir()
    (tmp_path / 'images' / 'other' / 'x.jpg').touch()
    return tmp_path / 'images'


@pytest.mark.parametrize('packed', [False, True])
def test_the_first_images_of_every_class(
    part: Any, images: Path, tmp_path: Path, packed: bool
) -> None:
    source, out = images, tmp_path / 'out'
    if packed:
        source = tmp_path / 'images.tar.gz'
        with tarfile.open(source, 'w:gz') as archive:
            archive.add(images, '.')
    part('images').small_images(source, out)
    names = sorted(path.name for path in (out / 'train' / 'cat').iterdir())
    assert names == [f'{k:04}.jpg' for k in range(100)]
    assert len([*(out / 'test' / 'dog').iterdir()]) == 3
    part('images').small_images(None, out)
    with pytest.raises(Exception, match='was copied from'):
        part('images').small_images(tmp_path, out)


@pytest.fixture
def command(
    part: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, str, str]]:
    """Run the tool in this process, since starting it takes seconds."""

    def run(*arguments: Any, device: str = 'cpu') -> tuple[int, str, str]:
        tool = import_module('paper')
        monkeypatch.setattr(tool, 'get_device', lambda: device)
        monkeypatch.setattr(sys, 'argv', ['paper', *map(str, arguments)])
        status = 0
        try:
            tool.main()
        except SystemExit as end:
            status = int(end.code or 0)
        found = capsys.readouterr()
        return status, found.out, found.err

    return run


def test_list(command: Any, tmp_path: Path) -> None:
    status, output, _ = command('list', '--out', tmp_path / 'out')
    assert status == 0
    lines = output.splitlines()
    assert [line.split(':')[0] for line in lines[1:]] == [
        *FIGURES,
        *(f'table{number}' for number in range(1, 15)),
    ]
    assert lines[8] == 'table1: not built yet'
    assert '1 training, 0 of them done' in lines[3]
    assert not (tmp_path / 'out').exists()


def test_no_such_figure_as_a_user_sees_it(tmp_path: Path) -> None:
    result = call(TOOL, 'figure8', '--out', tmp_path / 'out')
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert "argument NAME: invalid choice: 'figure8'" in line


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['table3'], 'table3 is not built yet; there are figure1'),
        (['figure1', '--data', 'none'], 'there is no such folder or archive'),
        (['figure1', '--data', '.'], 'needs train/<class>/*.jpg'),
        (['figure1', '--data', 'text.jpg'], 'neither as a folder nor as a'),
        (['figure3', '--scale', 'paper'], 'needs an accelerator'),
        (['figure3', '--scale', 'large'], "invalid choice: 'large'"),
        (['figure3', '--jobs', '0'], 'give an integer >= 1'),
    ],
)
def test_bad_input_is_one_line(
    command: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path('text.jpg').write_text('no picture')
    status, _, errors = command(*arguments, '--out', 'out')
    assert status == 2
    [line] = errors.splitlines()
    assert message in line
    assert not Path('out').exists()


def test_a_folder_of_data_sets_that_is_not_there(
    command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = ('--data', tmp_path / 'none', '--out', tmp_path / 'out')
    _, _, errors = command('figure3', '--scale', 'paper', *data, device='gpu')
    [line] = errors.splitlines()
    assert 'there is no such folder; give one with cifar10/' in line


def test_runs_of_another_setting_are_one_line(
    command: Any, images: Path, tmp_path: Path
) -> None:
    out = tmp_path / 'out'
    folder = out / 'small' / 'runs' / 'cifar10_sgd_e' / 'dry' / 'seed0'
    folder.mkdir(parents=True)
    (folder / 'trained_to_the_end').write_text('_base_ = "other.py"')
    status, _, errors = command('figure3', '--out', out, '--data', images)
    assert status == 2
    [line] = errors.splitlines()
    assert 'was trained with other settings (_base_ = "other.py"; now' in line
    assert not (out / 'small' / 'figure3.png').exists()
