# Sets ies_mm up on a machine without a network; tools/carry.py makes the
# folder in which this lies. In the checkout: . FOLDER/start.sh
#
# The wheels go into a folder of their own, before the machine's packages.
# mmcv's operators are compiled in the background, for this card alone; what
# needs none can start at once. A file mmcv_*.tar.xz beside this is unpacked
# instead.

carried=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
site=${IES_MM_SITE:-/tmp/ies_mm_site}

compile_operators() {
    export FORCE_CUDA=1 MMCV_WITH_OPS=1 MAX_JOBS=$(nproc)
    export TORCH_CUDA_ARCH_LIST=$(python3 -c 'import torch
print("%d.%d" % torch.cuda.get_device_capability())')
    python3 -m pip install -q --no-index --no-deps --no-build-isolation \
        --target "$site.built" "$carried"/onedl_mmcv-*.tar.gz &&
        cp "$site.built"/mmcv/_ext*.so "$site/mmcv/"
}

if [ ! -e "$site/.ready" ]; then
    python3 -m pip install -q --no-index --no-deps --no-compile \
        --no-cache-dir --upgrade --target "$site" "$carried"/wheels/*.whl
    if ls "$carried"/mmcv_*.tar.xz > /dev/null 2>&1; then
        tar xJf "$carried"/mmcv_*.tar.xz -C "$site"
    else
        tar xzf "$carried"/onedl_mmcv-*.tar.gz -C "$site" \
            --strip-components=1 --wildcards '*/mmcv/*'
        (compile_operators > "$site.log" 2>&1 &)
    fi
    touch "$site/.ready"
fi
export PYTHONPATH="$site:$PWD" PYTHONUNBUFFERED=1
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-4}"
