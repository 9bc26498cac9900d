"""Arguments of 0.1.0 under their new names."""

import pytest

from ies_mm.engine import IESHook


def test_the_batch_size_of_scoring_passes() -> None:
    with pytest.warns(
        DeprecationWarning, match=r'write scoring=dict\(batch_size=4\)'
    ):
        hook = IESHook(0.1, refresh_batch_size=4, scoring=dict(interval=3))
    scoring = hook.mixing.scoring
    assert (scoring.batch_size, scoring.interval) == (4, 3)
