"""Start commands in processes that have already imported OpenMMLab.

The import takes several seconds, and the suite starts more than a hundred
commands. A command runs in a fork of this process, which has done nothing but
import; its arguments, environment, folder and output are its own.
"""

import gc
import importlib
import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any

IMPORTED = (
    'matplotlib.figure', 'mmengine.runner', 'mmdet.apis', 'mmseg.apis',
    'mmpretrain.apis', 'ies_mm.engine', 'ies_mm.report.compare',
)  # fmt: skip


def serve() -> dict[str, Any]:
    """Fork for each request; returns in the child, with its request."""
    answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)  # libraries print what is missing
    for name in IMPORTED:
        importlib.import_module(name)
    gc.freeze()  # a child's garbage collections would go through all of it
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        child = os.fork()
        if child == 0:
            answers.close()
            return request
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)
    sys.exit()


def become(request: dict[str, Any]) -> None:
    """Run a Python file as if Python had been started with it."""
    import torch

    for number, name in enumerate(('stdin', 'stdout', 'stderr')):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY
        os.dup2(os.open(request[name], flags), number)
    os.chdir(request['cwd'])
    os.environ.clear()
    os.environ.update(request['environment'])
    if threads := os.environ.get('OMP_NUM_THREADS'):
        torch.set_num_threads(int(threads))
    sys.argv = request['command']
    sys.path[0] = str(Path(sys.argv[0]).parent)
    runpy.run_path(sys.argv[0], run_name='__main__')


if __name__ == '__main__':
    become(serve())
