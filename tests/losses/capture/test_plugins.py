"""Adapters of another installed library are found automatically."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS, TRANSFORMS
from torch import nn
from torch.testing import assert_close

from ies_mm.configuring.preflight import check_config
from ies_mm.errors import ConfigError, UnsupportedModelError
from ies_mm.losses import capture_per_image_losses, check_supported
from ies_mm.losses.capture import registry
from runs import epochs_of, instances_of, train
from task_runs import classifier_config, with_ies

LIBRARY = Path(__file__).parents[2] / 'tinylib'
IMAGES = 20
OURS = ('tinylib.models',)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages, including tinylib without metadata."""
    site = tmp_path / 'site-packages'
    shutil.copytree(LIBRARY, site / 'tinylib')
    monkeypatch.syspath_prepend(site)
    places = (DATASETS, MODELS, TRANSFORMS)
    before = [dict(place.module_dict) for place in places]
    yield site
    for place, known in zip(places, before, strict=True):
        place.module_dict.clear()
        place.module_dict.update(known)
    for name in [name for name in sys.modules if name.startswith('tinylib')]:
        del sys.modules[name]
    # OpenMMLab's adapters may have been loaded here before.
    for head in [h for h in registry._ADAPTERS if h.__module__ in OURS]:
        del registry._ADAPTERS[head]


def install(site: Path, name: str, module: str) -> None:
    """Write the metadata that pip writes, with one of our entry points."""
    folder = site / f'{name}-1.2.dist-info'
    folder.mkdir()
    (folder / 'METADATA').write_text(
        f'Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n'
    )
    (folder / 'entry_points.txt').write_text(
        f'[ies_mm.adapters]\n{name} = {module}\n'
    )


def counter() -> nn.Module:
    import tinylib

    torch.manual_seed(0)
    return tinylib.SpotCounter(dict(type='CountingHead'))


def config_of(work_dir: Path) -> Config:
    """Six epochs; the config does not mention adapters."""
    return Config(
        dict(
            default_scope='mmengine',
            work_dir=str(work_dir),
            custom_imports=dict(imports=['ies_mm.engine', 'tinylib']),
            model=dict(type='SpotCounter', head=dict(type='CountingHead')),
            train_dataloader=dict(
                batch_size=4,
                num_workers=0,
                sampler=dict(type='IESSampler', shuffle=True),
                dataset=dict(
                    type='Spots',
                    images=IMAGES,
                    pipeline=[dict(type='LoadSpots'), dict(type='PackSpots')],
                ),
            ),
            train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=6),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            default_hooks=dict(
                ies=dict(
                    type='IESHook',
                    saved=0.4,
                    order=0,
                    window=1,
                    keep_history=True,
                )
            ),
            randomness=dict(seed=0),
            log_level='WARNING',
        )
    )


def test_a_library_without_adapters_is_refused(site: Path) -> None:
    with pytest.raises(UnsupportedModelError, match='head=CountingHead'):
        check_supported(counter())


def test_the_losses_are_those_of_each_image_alone(site: Path) -> None:
    install(site, 'tinylib', 'tinylib.for_ies')
    model = counter()
    from tinylib import LoadSpots, PackSpots

    items = [
        PackSpots()(LoadSpots()(dict(number=i, img_path=''))) for i in range(4)
    ]
    inputs = torch.stack([item['inputs'] for item in items])
    samples = [item['data_samples'] for item in items]
    with capture_per_image_losses(model, shares=True) as captured:
        batch = model(inputs, samples, mode='loss')
    for term, loss in batch.items():
        assert_close(captured.shares[term].sum(), loss)
        for i, value in enumerate(captured.losses[term]):
            alone = model(inputs[i : i + 1], samples[i : i + 1], mode='loss')
            assert_close(value, alone[term].detach())


def test_it_is_trained_with_ies_to_the_end(site: Path, tmp_path: Path) -> None:
    install(site, 'tinylib', 'tinylib.for_ies')
    config = config_of(tmp_path / 'run')
    import tinylib  # noqa: F401  (as custom_imports does)

    check_config(config)
    train(config)
    records = epochs_of(tmp_path / 'run')
    assert len(records) == 6
    assert records[-1]['saved'] == pytest.approx(0.4, abs=4 / IMAGES / 6)
    assert records[-1]['loss'].keys() == {'loss_map', 'loss_count'}
    run = instances_of(tmp_path / 'run')
    assert run['identity'].tolist() == [f'spots/{i:03}' for i in range(IMAGES)]
    excluded = [record['excluded'] for record in records]
    assert (~run['trained']).sum(axis=1).tolist() == excluded
    assert np.isfinite(run['losses'][run['trained']]).all()


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        ('import no_such_module', 'ModuleNotFoundError: No module named'),
        ("raise RuntimeError('two\\nlines')", 'RuntimeError: two lines'),
        ('raise AssertionError', 'AssertionError; fix or uninstall it'),
    ],
)
def test_a_distribution_whose_adapters_fail_is_named(
    site: Path, content: str, reason: str
) -> None:
    """Every time, since nothing counts as loaded."""
    (site / 'brokenlib.py').write_text(content)
    install(site, 'brokenlib', 'brokenlib')
    for _ in range(2):
        with pytest.raises(ConfigError) as error:
            check_supported(counter())
        text = str(error.value)
        assert text.startswith(
            'brokenlib 1.2 brings adapters for ies_mm (entry point '
            'ies_mm.adapters: brokenlib = brokenlib), which cannot be imported'
        )
        assert reason in text
        assert '\n' not in text


def test_it_is_named_before_anything_is_trained(
    site: Path, folders: Path, tmp_path: Path
) -> None:
    """For any model, since the adapters might be for it."""
    install(site, 'brokenlib', 'brokenlib')
    config = with_ies(classifier_config(folders, tmp_path / 'run'), delta=0.1)
    for refuses in (check_config, train):
        with pytest.raises(ConfigError, match=r'brokenlib 1\.2 brings'):
            refuses(config)
    assert not (tmp_path / 'run' / 'ies').exists()


def test_captures_look_for_adapters_once(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every step makes a capture, and metadata is read from files."""
    install(site, 'tinylib', 'tinylib.for_ies')
    model = counter()
    check_supported(model)

    def read(*_: Any, **__: Any) -> None:
        raise AssertionError('metadata are read again')

    monkeypatch.setattr('ies_mm.losses.capture.plugins.entry_points', read)
    check_supported(model)
