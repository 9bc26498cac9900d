"""core and the methods' rules must not import OpenMMLab."""

import subprocess
import sys
from pathlib import Path

import ies_mm

RULES = sorted(Path(ies_mm.__file__).parent.glob('methods/*/rule.py'))

HEAVY = (
    'mmengine', 'mmcv', 'mmdet', 'mmseg', 'mmpretrain', 'scipy', 'matplotlib',
)  # fmt: skip
PROBE = """
import sys
from importlib import import_module
for module in {modules}:
    import_module(module)
    found = [name for name in {heavy} if name in sys.modules]
    if found:
        sys.exit(f'{{module}} loads {{found}}')
"""


def probe(*modules: str) -> str:
    """What the modules load that they must not; empty if nothing."""
    program = PROBE.format(modules=modules, heavy=HEAVY)
    return subprocess.run(
        [sys.executable, '-c', program],
        capture_output=True,
        text=True,
        check=False,
    ).stderr


def test_core_and_the_rules_load_no_openmmlab() -> None:
    rules = [f'ies_mm.methods.{path.parent.name}.rule' for path in RULES]
    assert len(rules) > 5
    pure = (
        'ies_mm.core',
        'ies_mm.core.reference',
        'ies_mm.dynamics.landscape',
    )
    assert not probe(*pure, *rules)


def test_the_probe_can_fail() -> None:
    assert "mmengine loads ['mmengine'" in probe('ies_mm.core', 'mmengine')
