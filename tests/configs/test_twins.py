"""Plain and IES twins differ only in hook and sampler."""

import pytest

from read_configs import IES, PLAIN, read, twin_of

# The sampler that the IESSampler replaces.
PLAIN_SAMPLERS = dict(
    EpochBasedTrainLoop='DefaultSampler', IterBasedTrainLoop='InfiniteSampler'
)


def test_every_plain_config_has_its_twin() -> None:
    assert sorted(map(twin_of, PLAIN)) == IES


@pytest.mark.parametrize('name', PLAIN)
def test_the_plain_twin_differs_by_hook_and_sampler_alone(name: str) -> None:
    plain, ies = read(name).to_dict(), read(twin_of(name)).to_dict()
    hook = ies['default_hooks'].pop('ies')
    assert hook['type'] == 'IESHook'
    assert ies['train_dataloader']['sampler'].pop('type') == 'IESSampler'
    sampler = plain['train_dataloader']['sampler']
    assert sampler.pop('type') == PLAIN_SAMPLERS[plain['train_cfg']['type']]
    assert sampler['shuffle'] is True
    # A list replaces its base's, so no import of the plain run may be lost.
    imports = plain.pop('custom_imports', {}).get('imports', [])
    ours = ies.pop('custom_imports')
    others = [name for name in imports if name != 'ies_mm.engine']
    assert ours['imports'] == [*others, 'ies_mm.engine']
    assert ies == plain
