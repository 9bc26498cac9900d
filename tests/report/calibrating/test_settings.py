"""The criterion and the delta that calibrate judges, without a run."""

from argparse import Namespace

import numpy as np
import pytest

import ies_mm.engine  # noqa: F401
from ies_mm.commands import calibrate
from ies_mm.errors import ConfigError
from ies_mm.report.calibrating.recorded import Recorded
from ies_mm.report.calibrating.settings import setting


def test_a_hook_s_default_criterion_is_its_own() -> None:
    recorded = Recorded(np.ones((8, 4, 1)), np.ones((8, 4), bool), ['loss'])
    asked = Namespace(order=None, window=None, terms=None)
    for hook, expected in (
        (dict(type='SoftIESHook', saved=0.3), (0, 5)),
        (dict(type='IESHook', saved=0.3, window=4), (2, 4)),
        (dict(type='RandomRemovalHook', saved=0.3), (2, 3)),
    ):
        found = calibrate._criterion(asked, hook, recorded)
        assert (found.order, found.window) == expected


def test_losses_that_are_known_too_late() -> None:
    scores = np.full((9, 4), np.nan)
    scores[-1] = 1.0
    with pytest.raises(ConfigError, match='observed often enough'):
        setting(scores, 0.2)
