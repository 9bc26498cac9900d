#!/usr/bin/env python
"""Look whether a criterion sees more than noise, and which delta to try.

Wants the work directory of a run with ``IESHook(dry_run=True,
keep_history=True)``; docs/calibration.md explains every figure.
"""

import tempfile
from pathlib import Path
from typing import Any

from _command import one_line_errors
from _parser import Parser
from mmengine.config import Config
from mmengine.runner import Runner, find_latest_checkpoint

from ies_mm.core import Criterion
from ies_mm.engine.frozen import FrozenPasses, drawn_instances
from ies_mm.engine.identity import InstanceMap
from ies_mm.errors import ConfigError
from ies_mm.report.calibrating.diagnosis import diagnose
from ies_mm.report.calibrating.noise import ALL, Noise, noise_of
from ies_mm.report.calibrating.pictures import draw
from ies_mm.report.calibrating.recorded import Recorded, read_recorded
from ies_mm.report.calibrating.table import as_json, table
from ies_mm.report.files import write_files

NAME = 'tools/calibrate.py'


def main() -> None:
    """Read the arguments, measure, print."""
    arguments = Parser(prog=NAME, description=__doc__)
    arguments.add_argument('work_dir', type=Path, metavar='WORK_DIR')
    arguments.add_argument('--order', type=int, default=2)
    arguments.add_argument('--window', type=int, default=3)
    arguments.add_argument(
        '--terms',
        nargs='+',
        metavar='TERM',
        help='what is judged, as terms of IESHook: sum, all, any, names, or '
        'NAME=WEIGHT ... (default: sum)',
    )
    arguments.add_argument(
        '--images',
        type=int,
        default=64,
        help='images in the passes with frozen weights, four batches or more; '
        '0 for no passes (default: %(default)s)',
    )
    arguments.add_argument(
        '--out', type=Path, help='folder of the files (default: WORK_DIR/ies)'
    )
    args = arguments.parse_args()
    out = args.out or args.work_dir / 'ies'
    with one_line_errors(NAME):
        recorded = read_recorded(args.work_dir)
        criterion = _criterion(args, recorded)
        noise = None
        if args.images:
            noise = _measured(args.work_dir, recorded, criterion, args.images)
        diagnosis = diagnose(recorded, criterion, noise)
        write_files(
            out,
            {
                'calibration.json': as_json(diagnosis),
                'calibration.png': draw(diagnosis),
            },
        )
        print(table(diagnosis))
    print(f'\nwritten to {out}: calibration.json, calibration.png')


def _criterion(args: Any, recorded: Recorded) -> Criterion:
    try:
        terms = _terms(args.terms)
        criterion = Criterion(0, args.order, args.window, terms)
        criterion.columns(recorded.terms)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return criterion


def _terms(words: list[str] | None) -> str | list[str] | dict[str, float]:
    """As IESHook takes them."""
    if not words:
        return 'sum'
    if words in (['sum'], ['all'], ['any']):
        return words[0]
    if not any('=' in word for word in words):
        return words
    pairs = (word.partition('=') for word in words)
    return {name: float(weight or 1) for name, _, weight in pairs}


def _measured(
    work_dir: Path, recorded: Recorded, criterion: Criterion, images: int
) -> Noise:
    """Repeated passes with the weights of the last checkpoint."""
    with tempfile.TemporaryDirectory() as scratch:
        runner = _runner(work_dir, Path(scratch))
        instances = InstanceMap(runner.train_dataloader.dataset)
        ids = drawn_instances(runner, instances, images, seed=0)
        passes = FrozenPasses(runner, instances, ids)
        count = max(criterion.depth, 6)
        losses = {
            source: passes.losses(count, recorded.terms, [source])
            for source in passes.sources()
        }
        losses[ALL] = passes.losses(count, recorded.terms, passes.sources())
        scale = recorded.scale(criterion)
        return noise_of(losses, criterion, recorded.terms, scale)


def _runner(work_dir: Path, scratch: Path) -> Runner:
    configs = sorted(work_dir.glob('*.py'))
    checkpoint = find_latest_checkpoint(str(work_dir))
    if not configs or not checkpoint:
        missing = 'checkpoint' if configs else 'config'
        raise ConfigError(
            f'{work_dir} has no {missing}, so nothing can be passed through '
            'the model; give --images 0 to do without'
        )
    cfg = Config.fromfile(configs[-1])
    cfg.work_dir, cfg.resume, cfg.launcher = str(scratch), False, 'none'
    # No hook is called, and those of the run may live in the user's code.
    cfg.custom_hooks, cfg.log_level = [], 'ERROR'
    runner = Runner.from_cfg(cfg)
    runner.load_checkpoint(checkpoint)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    return runner


if __name__ == '__main__':
    main()
