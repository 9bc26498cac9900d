"""Options for scoring passes over all images, where none are made."""

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from ies_mm.engine import IESHook, RandomRemovalHook
from ies_mm.errors import ConfigError
from method_cases import config_of
from runs import train, with_hook

PIPELINE = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
IN_TRAINING = "has no effect with observe='training' while no images are mi"


def said(config: Config, hook: Any) -> list[str]:
    train(config, with_hook(hook))
    [log] = Path(config.work_dir).glob('*/*.log')
    lines = log.read_text().splitlines()
    return [line for line in lines if ' WARNING - scoring.' in line]


def test_what_has_no_effect_is_said_once(
    folders: Path, tmp_path: Path
) -> None:
    options = dict(interval=2, pipeline=PIPELINE, batch_size=2)
    for observe, words in (
        ('training', IN_TRAINING),
        ('mixtures', "has no effect with observe='mixtures'"),
    ):
        config = config_of(folders, tmp_path / observe, 1)
        hook = IESHook(0.1, observe=observe, scoring=options)
        for name, line in zip(
            ('interval', 'pipeline'), said(config, hook), strict=True
        ):
            assert f'WARNING - scoring.{name} {words}' in line
    config = config_of(folders, tmp_path / 'random', 1)
    [line] = said(config, RandomRemovalHook(0.2, scoring=dict(interval=2)))
    assert 'has no effect as no losses of ' in line


def test_what_has_an_effect_is_not_warned_of(
    folders: Path, tmp_path: Path
) -> None:
    options = dict(interval=2, pipeline=PIPELINE)
    config = config_of(folders, tmp_path, 1)
    assert not said(config, IESHook(0.1, observe='scoring', scoring=options))


def test_a_wrong_pipeline_is_refused_although_it_is_not_used_yet(
    folders: Path, tmp_path: Path
) -> None:
    wrong = dict(pipeline=[dict(type='NoSuchTransform')])
    config = config_of(folders, tmp_path, 1)
    with pytest.raises(
        ConfigError, match=r'scoring\.pipeline: .*NoSuchTransf'
    ):
        train(config, with_hook(IESHook(0.1, scoring=wrong)))
    assert not [*tmp_path.glob('ies/epochs.jsonl')]
