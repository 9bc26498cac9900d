"""Tables 1, 4, 8, 9, 11 and 14, against values computed one by one."""

import re
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config
from scipy import stats

from paper_runs import GROUPED, IMAGES, VALIDATED


def said(values: list[float], digits: int) -> str:
    return f'{fmean(values):.{digits}f} ± {stdev(values):.{digits}f}'


def interval_of(apart: list[float]) -> str:
    number = len(apart)
    low, high = stats.t.interval(
        0.95, number - 1, fmean(apart), stdev(apart) / number**0.5
    )
    return f'{fmean(apart):+.2f} ({low:+.2f} to {high:+.2f})'


def test_differences_without_an_interval_of_their_own(part: Any) -> None:
    bounds = part('experiment').bounds
    assert bounds(np.zeros(5)) == (0, 0)
    assert bounds(np.full(5, -1.5)) == (-1.5, -1.5)
    assert bounds(np.array([2.0])) == (-np.inf, np.inf)
    exceeds = part('experiment').exceeds
    for values, least, expected in (
        ([0.0, 0], 0, None),
        ([1.0, 1], 0, True),
        ([-1.0, -1], 0, False),
        ([-1.0], 0, None),
        ([0.1, 0.2, 0.3], 0, None),
        ([0.1, 0.2, 0.3], -1, True),
    ):
        assert exceeds(np.array(values), least) is expected


def judged(more: list[float], less: list[float], least: float = 0) -> str:
    """Whether more is above less by more than that, by SciPy's test."""
    apart = np.subtract(more, less)
    if stats.ttest_1samp(apart, least).pvalue >= 0.05:
        return 'inconclusive'
    return 'yes' if apart.mean() > least else 'no'


def seeds_of(found: Any, **wanted: Any) -> tuple[list[Any], list[Any]]:
    """The plain runs of a setting, and those of IES."""
    plain, own = [], []
    for training, runs in found.seeds.items():
        if all(getattr(training, k) == v for k, v in wanted.items()):
            (own if training.hook else plain).extend(runs)
    return plain, own


def best(run: Any) -> tuple[int, float]:
    epochs = sorted(run.accuracy)
    top = max(run.accuracy.values())
    return next(e for e in epochs if run.accuracy[e] == top), top


def rows(found: Any) -> list[list[str]]:
    lines = found.found.table.splitlines()
    return [line.strip('| ').split(' | ') for line in lines]


@pytest.mark.parametrize('setting', ['adam', 'sgd_f', 'sgd_e'])
def test_table_1(made: Any, setting: str) -> None:
    found = made('table1')
    plain, own = seeds_of(found, setting=setting)
    assert len(plain) == len(own) == 3
    [row] = [
        r for r in rows(found) if r[:2] == [f'cifar10, {setting}', 'ours']
    ]
    bests = [[best(run)[1] for run in runs] for runs in (plain, own)]
    assert row[2:4] == [said(values, 2) for values in bests]
    saved = [100 * run.saved for run in own]
    assert row[4] == f'{said(saved, 1)}%'
    pooled = ((stdev(bests[0]) ** 2 + stdev(bests[1]) ** 2) / 2) ** 0.5
    z = (fmean(bests[1]) - fmean(bests[0])) / pooled
    assert row[5] == f'{z:+.1f}'
    speed = fmean(r.wall for r in plain) / fmean(r.wall for r in own)
    assert row[6] == f'{speed:.2f}'
    assert row[7] == f'{1 / (1 - 2 / 3 * fmean(saved) / 100):.2f}'


def test_table_1_beside_the_paper(part: Any) -> None:
    paper, table = part('scales').PAPER, part('effectiveness').TABLE_1
    assert {*paper.columns} == {*table}
    assert table['cifar10', 'adam'] == ('92.9 ± 0.1', '92.9 ± 0.2', '54.6%')


@pytest.mark.parametrize('noise', ['symmetric_0.2', 'instance_0.4'])
def test_table_9_counts_until_the_best_epoch(made: Any, noise: str) -> None:
    found = made('table9')
    plain, own = seeds_of(found, noise=noise)
    kind, ratio = noise.split('_')
    name = f'{100 * float(ratio):.0f}% {kind}'
    [row] = [row for row in rows(found) if row[0] == name]
    assert row[3].endswith(f'[{", ".join(str(best(r)[0]) for r in own)}]')
    assert row[2].startswith(said([best(r)[1] for r in plain], 2))
    until = [100 * float(np.mean(run.excluded[: best(run)[0]])) for run in own]
    assert row[5] == f'{said(until, 1)}%'
    [claim] = found.found.claims
    assert claim.holds == 'no'


def test_table_11(made: Any) -> None:
    found = made('table11')
    for at, noise in enumerate(('symmetric_0.1', 'instance_0.1')):
        plain, own = seeds_of(found, noise=noise)
        row = rows(found)[3 + 2 * at]
        assert row[0] == 'ours'
        assert row[3] == f'{said([100 * r.saved for r in own], 1)}%'
        ours, theirs = ([best(r)[1] for r in runs] for runs in (own, plain))
        assert found.found.claims[at].holds == judged(ours, theirs, -1)


def test_table_14(made: Any) -> None:
    found = made('table14')
    plain, own = seeds_of(found)
    for name, runs in (('No Removal', plain), ('IES', own)):
        [row] = [r for r in rows(found) if r[0] == f'ours, {name}']
        for cell, key in zip(row[1:], GROUPED, strict=True):
            digits = 4 if 'parity' in key else 1
            assert cell == said([run.groups[key] for run in runs], digits)
    base, less = ([r.groups[GROUPED[-1]] for r in rs] for rs in (plain, own))
    [claim] = found.found.claims
    assert claim.holds == judged(base, less)


def test_the_attribute_is_planted_as_unequally_as_it_says(
    part: Any, images: Path
) -> None:
    modules = part('images')
    (images / 'train' / 'dog').rename(images / 'train' / 'ship')
    modules.grouped_images(images)
    lines = (images / 'groups' / 'groups.csv').read_text().split()
    groups = dict(line.split(',') for line in lines)
    for path, group in groups.items():
        assert (images / 'groups' / path).exists()
        assert group in ('reddish', 'untinted')
    for kind, chance in modules.TINTED.items():
        own = [g for p, g in groups.items() if p.startswith(f'train/{kind}/')]
        share = own.count('reddish') / len(own)
        assert share == pytest.approx(chance, abs=0.15)


def test_noise_is_drawn_once_for_all_seeds(
    part: Any, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = part('runner')
    monkeypatch.setattr(runner, 'train_once', lambda *a, **k: None)
    small = part('scales').SMALL
    workshop = runner.Workshop(small, tmp_path / 'out', images)
    experiment = part('declared').EXPERIMENTS['table9']
    workshop.make(experiment, lambda line: None)
    files = sorted((tmp_path / 'out' / 'noise').iterdir())
    assert [file.name for file in files] == [
        f'cifar10_{kind}_{ratio}.npz'
        for kind in ('instance', 'symmetric')
        for ratio in ('0.2', '0.4')
    ]
    before = [file.stat().st_mtime_ns for file in files]
    workshop.make(experiment, lambda line: None)
    assert [file.stat().st_mtime_ns for file in files] == before
    with np.load(files[-1]) as labels:
        changed = labels['clean'] != labels['noisy']
    assert changed.mean() == pytest.approx(0.4, abs=0.005)
    for job in workshop.jobs_of(experiment):
        assert str(tmp_path) not in job.said


@pytest.mark.parametrize('speedup', [2, 3])
def test_table_8(made: Any, speedup: int) -> None:
    found = made('table8')
    for method, name in (
        ('ies', 'IES'),
        ('random_remove', 'Random Remove'),
        ('efficienttrain', 'EfficientTrain'),
    ):
        [(_, own)] = [
            (training, runs)
            for training, runs in found.seeds.items()
            if training.method == f'{method}_{speedup}x'
        ]
        [row] = [r for r in rows(found) if r[:2] == [name, str(speedup)]]
        assert row[3] == said([best(run)[1] for run in own], 2)
        # The synthetic runs have fewer epochs than the scale, and score all
        # that they prune.
        cost = fmean(
            float((~run.excluded).sum() + run.excluded.sum() / 3)
            for run in own
        )
        assert row[4] == f'{cost / (IMAGES * 30):.1%}'
        [short] = [
            runs
            for training, runs in found.seeds.items()
            if training.length == pytest.approx(1 / speedup)
        ]
        apart = [
            best(a)[1] - best(b)[1] for a, b in zip(own, short, strict=True)
        ]
        assert row[6] == interval_of(apart)
    unreached = [r[:2] for r in rows(found) if 'out of reach' in r]
    # Six observations, one every five epochs, take all of the 30 epochs.
    assert unreached == [
        ['IES, all scored', '2'],
        ['Selective-Backprop', '3'],
        ['IES, all scored', '3'],
    ]


def test_lengths_of_table_8(part: Any, tmp_path: Path) -> None:
    small = part('scales').SMALL
    workshop = part('runner').Workshop(small, tmp_path, tmp_path / 'images')
    jobs = workshop.jobs_of(part('declared').EXPERIMENTS['table8'])
    assert len({job.said for job in jobs}) == len(jobs)
    stopped = {
        Config.fromstring(job.config, '.py').train_cfg.max_epochs
        for job in jobs
        if job.training.method == 'plain' and job.training.epochs
    }
    assert stopped == {15, 10}
    short = {
        job.said.split('--length ')[-1]
        for job in jobs
        if job.training.length != 1
    }
    assert short == {'0.5', '0.333333'}


@pytest.mark.parametrize(('name', 'epochs'), [('table3', 1), ('table7', 5)])
def test_transfer(made: Any, name: str, epochs: int) -> None:
    found = made(name)
    for target, title in (
        ('others', 'the other five classes'),
        ('digits', 'digits of scikit-learn'),
    ):
        values = {}
        for training, runs in found.seeds.items():
            if training.data == target:
                assert training.epochs == epochs
                last = [run.accuracy[VALIDATED[-1]] for run in runs]
                values['ies' if training.start.hook else 'plain'] = last
        [row] = [r for r in rows(found) if r[0] == title]
        assert row[4:6] == [said(values[k], 2) for k in ('plain', 'ies')]
        apart = [
            a - b for a, b in zip(values['ies'], values['plain'], strict=True)
        ]
        assert row[6] == interval_of(apart)


@pytest.mark.parametrize(('scale', 'starts'), [('small', 10), ('paper', 4)])
def test_fine_tunings_start_from_their_own_pretraining(
    part: Any, tmp_path: Path, scale: str, starts: int
) -> None:
    size = part('scales').SCALES[scale]
    workshop = part('runner').Workshop(size, tmp_path, tmp_path / 'images')
    jobs = workshop.jobs_of(part('declared').EXPERIMENTS['table3'])
    before = {j.work_dir: j for j in jobs if not j.training.start}
    assert len(before) == starts
    epoch = 30 if scale == 'small' else 100
    for job in jobs:
        if not job.training.start:
            continue
        [weights] = map(Path, re.findall(r"'(/.*?\.pth)'", job.config))
        assert weights.name == f'epoch_{epoch}.pth'
        source = before[weights.parent]
        assert source.training == job.training.start
        assert source.seed == (job.seed if scale == 'small' else 0)
        if job.seed != 0 or job.training.start.hook:
            continue  # Parsing takes half a second.
        cfg = Config.fromstring(job.config, '.py')
        assert cfg.model.backbone.init_cfg.checkpoint == str(weights)
        assert cfg.model.backbone.init_cfg.prefix == 'backbone.'
        assert [hook.type for hook in cfg.custom_hooks] == ['HeadOnlyHook']
        assert cfg.optim_wrapper.optimizer.type == 'Adam'
        assert cfg.optim_wrapper.optimizer.lr == 1e-3
        names = [t.type for t in cfg.train_dataloader.dataset.pipeline]
        assert {*names} <= {'LoadImageFromFile', 'Resize', 'PackInputs'}


def test_pretrainings_come_first(
    part: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = part('runner')
    order = []
    monkeypatch.setattr(
        runner, 'train_once', lambda work_dir, *_, **__: order.append(work_dir)
    )
    small = part('scales').SMALL
    workshop = runner.Workshop(small, tmp_path, tmp_path / 'images', jobs=3)
    experiment = part('declared').EXPERIMENTS['table3']
    workshop.make(experiment, lambda line: None)
    starts = {
        job.work_dir
        for job in workshop.jobs_of(experiment)
        if not job.training.start
    }
    assert {*order[: len(starts)]} == starts
