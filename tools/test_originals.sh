#!/usr/bin/env bash
# Build .venv-originals with OpenMMLab's original packages (their versions are
# in requirements/originals.txt) and run the test suite in it. mmcv is compiled
# once, about 20 minutes on 2 cores, and kept for other clones.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.venv-originals
pins=requirements/originals.txt
torch=$(sed -n 's/^torch==//p' $pins)
wheels=${IES_MM_CACHE:-$HOME/.cache/ies_mm}/originals-torch$torch
pip() { "$venv/bin/python" -m pip "$1" --quiet --constraint $pins "${@:2}"; }

if ! "$venv/bin/python" -c 'import mmdet, mmseg, mmpretrain, ies_mm' \
    2> /dev/null; then
    "${PYTHON3:-python3.11}" -m venv --clear $venv
    pip install setuptools wheel ninja packaging psutil
    pip install torch torchvision 'numpy<2'
    if ! ls "$wheels"/mmcv-*.whl > /dev/null 2>&1; then
        echo 'test_originals: compiling mmcv' >&2
        MMCV_WITH_OPS=1 pip wheel --no-deps --no-build-isolation \
            --no-cache-dir --no-binary mmcv --wheel-dir "$wheels" mmcv
    fi
    pip install "$wheels"/mmcv-*.whl mmengine mmdet mmsegmentation \
        mmpretrain ftfy regex
    pip install matplotlib jinja2 hypothesis pytest pytest-timeout \
        pytest-xdist tensorboard
    pip install --no-deps --no-build-isolation -e .
fi
"$venv/bin/python" -c 'from mmcv.ops import nms'
"$venv/bin/python" -m pytest -q -n 2 "$@"
