"""core is pure: it must not pull the OpenMMLab stack in."""

import subprocess
import sys

PROBE = (
    'import sys; {imports}; '
    'sys.exit(any(m in sys.modules for m in ("mmengine", "mmcv", "mmdet")))'
)


def probe(imports: str) -> int:
    """Exit status 1 where an OpenMMLab package was loaded."""
    command = [sys.executable, '-c', PROBE.format(imports=imports)]
    return subprocess.run(command, check=False).returncode


def test_core_loads_no_openmmlab() -> None:
    assert probe('import ies_mm.core, ies_mm.core.reference') == 0


def test_the_probe_can_fail() -> None:
    assert probe('import ies_mm.core, mmengine') == 1
