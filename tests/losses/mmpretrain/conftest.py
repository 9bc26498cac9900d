"""Look up mmpretrain's names in its own registries."""

import pytest
from mmengine.registry import init_default_scope


@pytest.fixture(autouse=True)
def _of_mmpretrain() -> None:
    # An earlier test may have left another library's scope.
    init_default_scope('mmpretrain')
