"""core and the methods' rules must not import OpenMMLab."""

import subprocess
import sys
from pathlib import Path

import pytest

import ies_mm

RULES = sorted(Path(ies_mm.__file__).parent.glob('methods/*/rule.py'))

HEAVY = (
    'mmengine', 'mmcv', 'mmdet', 'mmseg', 'mmpretrain', 'scipy', 'matplotlib',
)  # fmt: skip
PROBE = (
    'import sys; {imports}; '
    'sys.exit(any(name in sys.modules for name in {heavy}))'
)


def probe(imports: str) -> int:
    """Exit status 1 if an OpenMMLab package was loaded."""
    command = [
        sys.executable,
        '-c',
        PROBE.format(imports=imports, heavy=HEAVY),
    ]
    return subprocess.run(command, check=False).returncode


def test_core_loads_no_openmmlab() -> None:
    pure = 'ies_mm.core.reference, ies_mm.dynamics.landscape'
    assert probe(f'import ies_mm.core, {pure}') == 0


@pytest.mark.parametrize('rule', RULES, ids=lambda path: path.parent.name)
def test_a_rule_loads_no_openmmlab(rule: Path) -> None:
    assert probe(f'import ies_mm.methods.{rule.parent.name}.rule') == 0


def test_the_probe_can_fail() -> None:
    assert probe('import ies_mm.core, mmengine') == 1
