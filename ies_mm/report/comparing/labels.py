"""Labels of groups: the method, and the settings that tell them apart."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ies_mm.report.comparing.groups import Group, differing, is_part_of
from ies_mm.report.reading.methods import RANDOM, method_hook
from ies_mm.report.values import printable

LONGEST_VALUE = 12
LABEL_SETTINGS = 3


def labelled(groups: Sequence[Group]) -> list[Group]:
    """Name groups by their method and the settings in which they differ.

    Args:
        groups (sequence of Group): All groups of a comparison.
    """
    found: list[Group] = []
    for group in groups:
        alike = [g for g in groups if g.method == group.method]
        family = ', '.join([_method(group), *_tags(group, alike)])
        label = family
        if not group.finished:
            label += f' {_run_tag(group, alike)}*'
        label, family = _free(label, family, found)
        found.append(
            replace(group, label=printable(label), family=printable(family))
        )
    return found


def _method(group: Group) -> str:
    """The method, and whether every image comes in its turn."""
    if method_hook(group.runs[0].config).get('replacement', True):
        return group.method
    if group.method == RANDOM:
        return 'shuffled passes'
    return f'{group.method}, in turn'


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
        if is_part_of(part, (argument,))
    }
    if name == 'refresh_interval' and key.startswith('default_hooks.ies.'):
        return _looks(inner, group)
    if not inner:
        return ''
    if name == 'replacement':
        # If False, the name of the method says so.
        return 'drawn anew' if inner[''] else ''
    if 'type' in inner:
        kind, values = inner.pop('type'), list(inner.values())
        if len(values) == 1:
            return f'{kind} {_short(values[0])}'
        given = [f'{name}={_short(v)}' for name, v in inner.items()]
        return ' '.join([kind, *given])
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
    text = f'{value:g}' if isinstance(value, float) else str(value)
    if len(text) <= LONGEST_VALUE or isinstance(value, int | float):
        return text
    if '/' in text:
        return f'..{text[2 - LONGEST_VALUE :]}'  # paths differ at the end
    return f'{text[: LONGEST_VALUE - 2]}..'
