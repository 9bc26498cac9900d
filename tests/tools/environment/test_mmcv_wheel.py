"""mmcv is compiled once, and again if its operators do not import."""

import shutil
from pathlib import Path

from fake_set_up import calls, flag, set_up


def test_mmcv_is_built_once_for_all_clones(
    with_venv: Path, tmp_path: Path
) -> None:
    other = tmp_path / 'clone'
    shutil.copytree(with_venv, other)
    set_up(with_venv)
    assert sum('pip wheel' in line for line in calls(with_venv)) == 1
    kept = list((tmp_path / 'cache').rglob('*'))
    assert [p.name for p in kept if p.is_file()] == [
        'onedl_mmcv-2.3.6-any.whl'
    ]
    assert set_up(other).returncode == 0
    assert not any('pip wheel' in line for line in calls(other))


def test_mmcv_without_its_ops_is_built_again(with_venv: Path) -> None:
    flag(with_venv, 'broken-mmcv.ops').touch()
    assert set_up(with_venv).returncode == 0
    builds = [line for line in calls(with_venv) if 'pip wheel' in line]
    assert len(builds) == 2
    assert all('--no-cache-dir' in line for line in builds)
