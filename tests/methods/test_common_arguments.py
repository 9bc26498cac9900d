"""The arguments that every hook takes, and those that none takes."""

from inspect import getdoc, signature
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.registry import HOOKS

from ies_mm import engine
from ies_mm.configuring.preflight import check_config
from ies_mm.errors import ConfigError
from ies_mm.training.hook.common_arguments import COMMON
from ies_mm.training.hook.selection_hook import SelectionHook

FILES = Path(engine.__file__).parents[1] / 'configs' / '_base_' / 'methods'
HOOK_DICTS = {
    hook.type: hook.to_dict()
    for path in sorted(FILES.glob('*.py'))
    for hook in Config.fromfile(path).default_hooks.values()
    if issubclass(HOOKS.get(hook.type), SelectionHook)
}
"""One valid config of each hook."""

SET: dict[str, Any] = dict(
    keep_history=True,
    allow_batch_augments=True,
    fallback=True,
    observe='mixtures',
    scoring=dict(batch_size=3),
)


def made(name: str, **arguments: Any) -> Any:
    """A hook, constructed without MMEngine, which rewords errors."""
    written = {k: v for k, v in HOOK_DICTS[name].items() if k != 'type'}
    return getattr(engine, name)(**written | arguments)


def test_what_is_common() -> None:
    assert {*SET} == {*COMMON}
    assert [*signature(SelectionHook).parameters][1:-1] == [*COMMON]


@pytest.mark.parametrize('name', HOOK_DICTS)
def test_every_hook_takes_what_is_common(name: str) -> None:
    """And a checkpoint notes it, beside the method's arguments."""
    noted = made(name, **SET).arguments()
    assert {key: noted[key] for key in COMMON} == SET
    written = {k: v for k, v in HOOK_DICTS[name].items() if k != 'type'}
    assert all(noted[key] == value for key, value in written.items())


@pytest.mark.parametrize('name', HOOK_DICTS)
def test_a_docstring_names_what_is_common(name: str) -> None:
    hook = getattr(engine, name)
    arguments = (getdoc(hook) or '').partition('Args:')[2]
    *own, common = arguments.partition('**common: ')
    for key in COMMON:
        declared = key in signature(hook).parameters
        assert (f'``{key}``' in common) is not declared
        assert (f'    {key} (' in ''.join(own)) is declared
    assert ':class:`SelectionHook`' in common


@pytest.mark.parametrize('name', HOOK_DICTS)
def test_an_argument_that_no_hook_takes(name: str) -> None:
    with pytest.raises(TypeError) as error:
        made(name, detla=0.1)
    unknown = f"{name} got an unexpected keyword argument 'detla'; it takes "
    reason, _, rest = str(error.value).partition(unknown)
    names, _, meant = rest.partition('; did you mean ')
    assert not reason
    own = [*signature(getattr(engine, name)).parameters]
    assert {*names.split(', ')} == {*own, *COMMON} - {'common'}
    if 'delta' in own:
        assert meant == "'delta'?"


class OwnHook(SelectionHook):
    """A user's hook that does not pass on what is common."""

    def __init__(self, delta: float) -> None:
        super().__init__(engine.IESHook(delta).method)


DELETE = ". _delete_=True drops the arguments of the base's hook"
MISSPELT = {
    'IESHook detla': "unexpected keyword argument 'detla'; it takes delta, or",
    'RandomRemovalHook ratoi': (
        "unexpected keyword argument 'ratoi'; it takes ratio, begin, anneal"
    ),
    'SoftIESHook svaed': (
        "missing 1 required positional argument: 'saved'; it takes saved, fl"
    ),
    'OwnHook detla': (
        f"unexpected keyword argument 'detla'; it takes delta{DELETE}"
    ),
}


@pytest.mark.parametrize('hook', MISSPELT)
def test_the_argument_that_must_be_given_is_misspelt(
    monkeypatch: pytest.MonkeyPatch, hook: str
) -> None:
    """What was written is named, or else what can be."""
    monkeypatch.setitem(HOOKS.module_dict, 'OwnHook', OwnHook)
    name, argument = hook.split()
    written = {'type': name, argument: 0.1}
    with pytest.raises(ConfigError) as error:
        check_config(Config(dict(custom_hooks=[written])))
    line = str(error.value)
    assert line.startswith(f'custom_hooks[0]: {name} ')
    assert MISSPELT[hook] in line
    assert line.endswith(DELETE) is ('unexpected' in line)
    assert '\n' not in line
