"""Groups of runs that differ only in the seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ies_mm.report.reading.dumped_config import flatten, one_spelling
from ies_mm.report.reading.methods import PLAIN, RANDOM, SHORT, method_hook
from ies_mm.report.reading.runs import Run

# Settings that do not change the training. Not train_cfg.val_interval: every
# validation draws a seed for its loader, so later random numbers are others.
IRRELEVANT = (
    'work_dir', 'experiment_name', 'launcher', 'resume', 'log_level',
    'log_processor', 'visualizer', 'vis_backends', 'randomness.seed',
    'custom_imports', 'test_dataloader', 'test_cfg', 'test_evaluator',
    'default_hooks.logger', 'default_hooks.visualization',
    'default_hooks.checkpoint', 'default_hooks.ies.keep_history',
)  # fmt: skip
# Settings in which a selected run may differ from its plain baseline.
OF_THE_METHOD = ('default_hooks', 'custom_hooks', 'train_dataloader.sampler')


@dataclass(frozen=True)
class Group:
    """Runs that differ only in the seed.

    Attributes:
        label (str): Name in tables and pictures.
        family (str): The same for runs of one config, finished or not.
        method (str): Method of its runs.
        runs (list of Run): Runs by seed. An unfinished run has its own group.
        settings (dict): Flat config without irrelevant settings.
    """

    label: str
    family: str
    method: str
    runs: list[Run]
    settings: dict[str, Any]

    @property
    def finished(self) -> bool:
        """Whether its runs reached their end."""
        return self.runs[0].progress.finished

    @property
    def is_short(self) -> bool:
        """Whether it is a shortened plain training."""
        return self.method.startswith(SHORT)

    @property
    def is_random(self) -> bool:
        """Whether it is random pruning.

        Shuffled passes are recommended for use, so they count as a method.
        """
        return self.method == RANDOM and self._argument('replacement', True)

    @property
    def is_random_control(self) -> bool:
        """Whether it is the control for a choice of images.

        It draws anew in each epoch, and leaves the losses as they are.
        """
        varied = self._argument('static') or self._argument('rescale')
        return self.is_random and not varied

    def _argument(self, name: str, default: bool = False) -> bool:
        return bool(method_hook(self.runs[0].config).get(name, default))


def group_runs(runs: Sequence[Run]) -> list[Group]:
    """Sort runs into groups, plain ones first, unfinished ones last.

    :func:`ies_mm.report.comparing.labels.labelled` gives them labels.
    """
    found: list[tuple[dict[str, Any], list[Run]]] = []
    for run in runs:
        settings = _settings(run)
        for known, members in found:
            if _same_group(members[0], run) and known == settings:
                members.append(run)
                break
        else:
            found.append((settings, [run]))
    groups = [
        Group('', '', members[0].method, _sorted(members), settings)
        for settings, members in found
    ]
    groups.sort(key=_place)
    return groups


def _place(group: Group) -> tuple[bool, bool, bool]:
    """Plain runs first, then shorter ones; unfinished ones last."""
    is_plain = group.method == PLAIN
    return not group.finished, not is_plain, not group.is_short


def baselines_of(group: Group, groups: Sequence[Group]) -> list[Group]:
    """The plain groups that a group's time may be compared with.

    Their configs differ only in the method; a single plain group serves all
    groups. A plain group is its own baseline.
    """
    plain = [g for g in groups if g.method == PLAIN and g.finished]
    if group.method == PLAIN:
        return [g for g in plain if g is group]
    if len(plain) == 1:
        return plain
    return [g for g in plain if not other_settings(group, g)]


def other_settings(one: Group, two: Group) -> list[str]:
    """The keys in which configs differ, other than the method's."""
    return [
        key
        for key in differing([one, two])
        if not is_part_of(key, OF_THE_METHOD)
    ]


def _settings(run: Run) -> dict[str, Any]:
    return {
        key: one_spelling(key, value)
        for key, value in flatten(_with_hook_in_place(run.config)).items()
        if not is_part_of(key, IRRELEVANT)
    }


def _with_hook_in_place(config: dict[str, Any]) -> dict[str, Any]:
    """The config with our selection hook at ``default_hooks.ies``."""
    hook = method_hook(config)
    if not hook:
        return config
    default = config.get('default_hooks') or {}
    moved = {k: other for k, other in default.items() if other is not hook}
    found = {**config, 'default_hooks': {**moved, 'ies': hook}}
    others = [h for h in config.get('custom_hooks') or [] if h is not hook]
    # An empty list would differ from the plain config, which has none.
    found.pop('custom_hooks', None)
    return {**found, 'custom_hooks': others} if others else found


def is_part_of(key: str, parents: tuple[str, ...]) -> bool:
    """Whether a setting is one of these, or inside one of them."""
    return any(f'{key}.'.startswith(f'{parent}.') for parent in parents)


def _same_group(one: Run, two: Run) -> bool:
    finished = one.progress.finished and two.progress.finished
    return finished and one.method == two.method


def _sorted(runs: list[Run]) -> list[Run]:
    return sorted(runs, key=lambda run: (run.seed is None, run.seed or 0))


def differing(groups: Sequence[Group]) -> list[str]:
    """The keys that differ between configs, the method's first."""
    keys = {key for group in groups for key in group.settings}
    found = [
        key
        for key in sorted(keys)
        if any(
            group.settings.get(key) != groups[0].settings.get(key)
            for group in groups
        )
    ]
    # The settings of the method are the most informative.
    return sorted(found, key=lambda k: not is_part_of(k, OF_THE_METHOD))
