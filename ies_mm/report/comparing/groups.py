"""Groups of runs that differ only in the seed, and their labels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ies_mm.report.reading.dumped_config import flatten
from ies_mm.report.reading.methods import PLAIN, SHORT
from ies_mm.report.reading.runs import Run
from ies_mm.report.values import printable

# Settings that do not change the training.
IRRELEVANT = (
    'work_dir', 'experiment_name', 'launcher', 'resume', 'log_level',
    'log_processor', 'visualizer', 'vis_backends', 'randomness.seed',
    'custom_imports', 'test_dataloader', 'test_cfg', 'test_evaluator',
    'default_hooks.logger', 'default_hooks.visualization',
    'default_hooks.ies.keep_history',
)  # fmt: skip
# Settings in which a selected run may differ from its plain baseline.
OF_THE_METHOD = ('default_hooks', 'custom_hooks', 'train_dataloader.sampler')
LONGEST_VALUE = 12
LABEL_SETTINGS = 3


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


def group_runs(runs: Sequence[Run]) -> list[Group]:
    """Sort runs into groups, plain ones first, unfinished ones last."""
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
    return _labelled(groups)


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
        if not _is_part_of(key, OF_THE_METHOD)
    ]


def _settings(run: Run) -> dict[str, Any]:
    return {
        key: value
        for key, value in flatten(run.config).items()
        if not _is_part_of(key, IRRELEVANT)
    }


def _is_part_of(key: str, parents: tuple[str, ...]) -> bool:
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
    return sorted(found, key=lambda k: not _is_part_of(k, OF_THE_METHOD))


def _labelled(groups: list[Group]) -> list[Group]:
    labelled: list[Group] = []
    for group in groups:
        alike = [g for g in groups if g.method == group.method]
        family = ', '.join([group.method, *_tags(group, alike)])
        label = family
        if not group.finished:
            label += f' {_run_tag(group, alike)}*'
        label, family = _free(label, family, labelled)
        labelled.append(
            replace(group, label=printable(label), family=printable(family))
        )
    return labelled


def _free(label: str, family: str, others: Sequence[Group]) -> tuple[str, str]:
    """Append a number if another group already has this label."""
    taken = {other.label for other in others}
    number = 1
    while printable(_numbered(label, number)) in taken:
        number += 1
    return _numbered(label, number), _numbered(family, number)


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f'{name} ({number})'


def _tags(group: Group, alike: Sequence[Group]) -> list[str]:
    """The few settings that tell a group from others of its method."""
    tags = [_all_tags(g, alike) for g in alike]
    configs = {str(g.settings) for g in alike}
    shown = LABEL_SETTINGS
    while len({tuple(t[:shown]) for t in tags}) < len(configs):
        if shown > max(map(len, tags)):
            break
        shown += 1
    return _all_tags(group, alike)[:shown]


def _all_tags(group: Group, alike: Sequence[Group]) -> list[str]:
    tags = []
    for key in differing(alike):
        part = _part_of_some(key, alike)
        having = [g for g in alike if f'{part}.type' in g.settings]
        if not part:
            tags.append(_tag(group, key))
        elif group in having:
            tags.append(_type_name(group, part))
            values = {str(g.settings.get(key)) for g in having}
            if len(values) > 1 and key != f'{part}.type':
                tags.append(_tag(group, key))
    return list(dict.fromkeys(filter(None, tags)))


def _part_of_some(key: str, groups: Sequence[Group]) -> str:
    """The outermost part of a config that only some groups have.

    A part has a type, like a hook or a transform. '' if there is none.
    :func:`_tag` names the arguments of hooks.
    """
    names = key.split('.')
    most = 2 if names[0] == 'default_hooks' else len(names) - 1
    for end in range(1, most + 1):
        part = '.'.join(names[:end])
        having = [f'{part}.type' in group.settings for group in groups]
        if any(having) and not all(having):
            return part
    return ''


def _type_name(group: Group, part: str) -> str:
    kind = str(group.settings[f'{part}.type']).rpartition('.')[2]
    return kind.removesuffix('Hook')


def _tag(group: Group, key: str) -> str:
    """A setting in words; for hooks the whole argument, '' if not given."""
    if not key.startswith('default_hooks.'):
        value = _short(group.settings.get(key, '-'))
        return f'{key.rpartition(".")[2]}={value}'
    argument = '.'.join(key.split('.')[:3])
    name = argument.rpartition('.')[2]
    inner = {
        part.removeprefix(argument).removeprefix('.'): value
        for part, value in group.settings.items()
        if _is_part_of(part, (argument,))
    }
    if name == 'refresh_interval' and key.startswith('default_hooks.ies.'):
        return _looks(inner, group)
    if not inner:
        return ''
    if 'type' in inner:
        kind, values = inner.pop('type'), list(inner.values())
        if len(values) == 1:
            return f'{kind} {values[0]}'
        return ' '.join([kind, *(f'{k}={v}' for k, v in inner.items())])
    return f'{name}={" ".join(map(_short, inner.values()))}'


def _looks(inner: dict[str, Any], group: Group) -> str:
    """When pruned images are scored."""
    if not inner and 'default_hooks.ies.saved' in group.settings:
        inner = dict(type='Spaced', by='training')
    if inner.get('type') == 'Spaced':
        by = inner.get('by', 'scoring')
        return f'spaced by {by} (cap {inner.get("cap", 8)})'
    epochs = inner.get('', 1)
    return f'scored every {f"{epochs} epochs" if epochs != 1 else "epoch"}'


def _run_tag(group: Group, alike: Sequence[Group]) -> str:
    """The folder of an unfinished run, if there are several alike."""
    unfinished = [
        g for g in alike if not g.finished and g.settings == group.settings
    ]
    name = group.runs[0].work_dir.name
    return f'{name} ' if len(unfinished) > 1 else ''


def _short(value: object) -> str:
    text = str(value)
    if len(text) <= LONGEST_VALUE:
        return text
    return f'..{text[2 - LONGEST_VALUE :]}'  # paths differ at the end
