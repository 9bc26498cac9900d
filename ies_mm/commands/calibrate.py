"""Check whether a criterion sees more than noise, and suggest a delta.

Needs the work directory of a run with ``IESHook(dry_run=True,
keep_history=True)``; docs/calibration.md explains every figure.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import HOOKS
from mmengine.runner import Runner, find_latest_checkpoint
from torch import Tensor

from ies_mm.commands.arguments import one_line_errors
from ies_mm.commands.parser import Parser, integer
from ies_mm.commands.work_dir import dumped_config, one_line
from ies_mm.configuring.files import check_files
from ies_mm.configuring.reading import class_of, selection_hooks
from ies_mm.core import Criterion
from ies_mm.errors import ConfigError
from ies_mm.report.calibrating.diagnosis import diagnose
from ies_mm.report.calibrating.noise import ALL, noise_of
from ies_mm.report.calibrating.pictures import draw
from ies_mm.report.calibrating.recorded import Recorded, read_recorded
from ies_mm.report.calibrating.table import as_json, table
from ies_mm.report.files import write_files
from ies_mm.training.data.identity import InstanceMap
from ies_mm.training.scoring.frozen import FrozenPasses, drawn_instances


def main(
    argv: Sequence[str] | None = None, prog: str = 'ies-mm calibrate'
) -> None:
    """Read the arguments, measure, print."""
    arguments = Parser(prog=prog, description=__doc__)
    arguments.add_argument('work_dir', type=Path, metavar='WORK_DIR')
    arguments.add_argument(
        '--order', type=int, help="difference order (default: the run's)"
    )
    arguments.add_argument(
        '--window', type=int, help="differences averaged (default: the run's)"
    )
    arguments.add_argument(
        '--terms',
        nargs='+',
        metavar='TERM',
        help='loss terms to judge, as in IESHook: sum, all, any, names, or '
        "NAME=WEIGHT ... (default: the run's)",
    )
    arguments.add_argument(
        '--images',
        type=integer(0),
        default=64,
        help='images in the passes with frozen weights, four batches or more; '
        '0 for no passes (default: %(default)s)',
    )
    arguments.add_argument(
        '--out', type=Path, help='output folder (default: WORK_DIR/ies)'
    )
    args = arguments.parse_args(argv)
    out = args.out or args.work_dir / 'ies'
    with one_line_errors(prog):
        recorded = read_recorded(args.work_dir)
        config = dumped_config(args.work_dir)
        hook = _hook(config, args.work_dir)
        criterion = _criterion(args, hook, recorded)
        # Fails early, before any image is loaded.
        diagnosis = diagnose(recorded, criterion)
        if args.images:
            passes = _passes(args, config, hook, recorded, criterion)
            scale = recorded.scale(criterion)
            noise = noise_of(passes, criterion, recorded.terms, scale)
            diagnosis = replace(diagnosis, noise=noise)
        write_files(
            out,
            {
                'calibration.json': as_json(diagnosis),
                'calibration.png': draw(diagnosis),
            },
        )
        print(table(diagnosis))
    print(f'\nwritten to {out}: calibration.json, calibration.png')


def _hook(config: Config, work_dir: Path) -> dict[str, Any]:
    """The arguments of the config's selection hook.

    Raises:
        ConfigError: It has none, so the records are not its own.
    """
    if not config:
        return {}
    hooks = [hook for _, hook in selection_hooks(config)]
    if not hooks:
        raise ConfigError(
            f'{work_dir}/ies is of an earlier run: the newest one in the '
            'folder has no selection hook; give every run a folder of '
            'its own'
        )
    return dict(hooks[0])


def _criterion(
    args: Any, hook: dict[str, Any], recorded: Recorded
) -> Criterion:
    """The run's criterion, with the command line's overrides."""
    names = ('order', 'window', 'terms')
    own = {**_defaults(hook), **hook}
    chosen = {name: own[name] for name in names if name in own}
    try:
        asked = {
            'order': args.order,
            'window': args.window,
            'terms': _terms(args.terms),
        }
        chosen |= {name: x for name, x in asked.items() if x is not None}
        criterion = Criterion(0, **chosen)
        criterion.columns(recorded.terms)
    except (TypeError, ValueError) as error:
        raise ConfigError(str(error)) from error
    return criterion


def _defaults(hook: dict[str, Any]) -> dict[str, Any]:
    """Default arguments of a hook's class; SoftIESHook has others."""
    cls = class_of(HOOKS, hook)
    found = signature(cls).parameters.values() if cls else ()
    return {p.name: p.default for p in found if p.default is not p.empty}


def _terms(
    words: list[str] | None,
) -> str | list[str] | dict[str, float] | None:
    """Convert the words into the ``terms`` argument of IESHook."""
    if not words or words in (['sum'], ['all'], ['any']):
        return words and words[0]
    if not any('=' in word for word in words):
        return words
    pairs = [word.partition('=') for word in words]
    names = [name for name, _, _ in pairs]
    if len({*names}) < len(names):
        raise ConfigError(f'--terms {" ".join(words)}: give each name once')
    try:
        return {name: float(weight or 1) for name, _, weight in pairs}
    except ValueError as error:
        raise ConfigError(f'--terms: {error}; give NAME=WEIGHT') from error


def _passes(
    args: Any,
    config: Config,
    hook: dict[str, Any],
    recorded: Recorded,
    criterion: Criterion,
) -> dict[str, Tensor]:
    """Losses of repeated passes with the last checkpoint, by noise source."""
    without = 'give --images 0 to do without the model'
    with (
        tempfile.TemporaryDirectory() as scratch,
        one_line(f'the model of {args.work_dir} cannot be run ({without})'),
    ):
        runner = _runner(config, args.work_dir, scratch)
        instances = InstanceMap(runner.train_dataloader.dataset)
        ids = drawn_instances(runner, instances, args.images, seed=0)
        _check_images(runner, instances, ids)
        fallback = hook.get('fallback', False)
        passes = FrozenPasses(runner, instances, ids, fallback=fallback)
        count = max(criterion.depth, 6)
        varied = {source: [source] for source in passes.sources()}
        varied[ALL] = passes.sources()
        return {
            source: passes.losses(count, recorded.terms, vary)
            for source, vary in varied.items()
        }


def _check_images(runner: Runner, instances: InstanceMap, ids: Tensor) -> None:
    """Raise an error that names the first image that cannot be loaded."""
    positions = instances.first_positions()[ids].tolist()
    for number, position in zip(ids.tolist(), positions, strict=True):
        path = instances.paths()[number]
        with one_line(f'{path} cannot be loaded (give --images 0)'):
            runner.train_dataloader.dataset[position]


def _runner(config: Config, work_dir: Path, scratch: str) -> Runner:
    checkpoint = _checkpoint(work_dir)
    if not config or not checkpoint:
        missing = 'checkpoint' if config else 'config'
        raise ConfigError(
            f'{work_dir} has no {missing}, so no images can be passed through '
            'the model; give --images 0 to skip this'
        )
    check_files(config, 'train_dataloader')
    config.work_dir, config.resume, config.launcher = scratch, False, 'none'
    # MMEngine caches its loggers and visualizers under this name.
    config.experiment_name = Path(scratch).name
    # No hooks are needed, and the run's may be the user's own.
    config.custom_hooks, config.log_level = [], 'ERROR'
    runner = Runner.from_cfg(config)
    with one_line(f'{checkpoint} cannot be loaded (give --images 0)'):
        # By default MMEngine only logs missing weights, and random ones would
        # be measured.
        runner.load_checkpoint(checkpoint, strict=True)
    # As a training loop does: backbones freeze their statistics in this call.
    runner.model.train()
    _ = runner.train_loop  # Reading it builds it.
    # Its context, such as autocast, is part of a training run's forward pass.
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    return runner


def _checkpoint(work_dir: Path) -> str | None:
    """The last checkpoint, even if the work directory was moved."""
    # MMEngine reads it from last_checkpoint, which has the path of then.
    found = Path(find_latest_checkpoint(str(work_dir)) or '')
    there = (work_dir / found.name, found)
    return next((str(path) for path in there if path.is_file()), None)
