"""The tool, with torchvision's URLs pointing to a local server."""

import hashlib
import importlib
import threading
from collections.abc import Iterator
from types import ModuleType

import pytest

from voc_server import Handler, Server, voc_tar


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(('127.0.0.1', 0), Handler)
    server.content, server.sent = {}, []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def tool(server: Server, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tool with torchvision's URLs pointing to the local server."""
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    tool = importlib.import_module('ies_mm.commands.get_voc')
    monkeypatch.setitem(tool.NEEDED_GB, '2007', 0.02)
    monkeypatch.setitem(tool.NEEDED_GB, '2012', 0.02)
    archives = {
        '2007': voc_tar('2007', 'trainval', ['000001', '000002']),
        '2007-test': voc_tar('2007', 'test', ['000003']),
        '2012': voc_tar('2012', 'trainval', ['2008_000001']),
    }
    for key, data in archives.items():
        server.content[f'/{key}.tar'] = data
        entry = {
            'url': f'http://127.0.0.1:{server.server_port}/{key}.tar',
            'filename': f'{key}.tar',
            'md5': hashlib.md5(data).hexdigest(),
            'base_dir': f'VOCdevkit/VOC{key[:4]}',
        }
        monkeypatch.setitem(tool.DATASET_YEAR_DICT, key, entry)
    return tool
