"""A server of small VOC archives with connections that break on demand."""

import io
import tarfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAYLOAD = bytes(range(256)) * 4000


def voc_tar(year: str, split: str, names: list[str]) -> bytes:
    """An archive with VOC's folders."""
    base = f'VOCdevkit/VOC{year}'
    content = {
        f'{base}/ImageSets/Main/{split}.txt': '\n'.join(names).encode(),
        **{f'{base}/JPEGImages/{name}.jpg': PAYLOAD for name in names},
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode='w') as tar:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


class Server(ThreadingHTTPServer):
    """Serves `content`; records path, Range and sent bytes of answers."""

    content: dict[str, bytes]
    sent: list[tuple[str, str | None, int]]
    cut: int | None = None  # the next answer breaks off after this many bytes
    ranges = True


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        data = self.server.content.get(self.path)
        if data is None:
            self.send_error(404)
            return
        header = self.headers.get('Range')
        asked = header if self.server.ranges else None
        start = int(asked[6:].rstrip('-')) if asked else 0
        if start >= len(data):
            self.send_error(416)
            return
        body = data[start:]
        self.send_response(206 if asked else 200)
        self.send_header('Content-Length', str(len(body)))
        if asked:
            place = f'bytes {start}-{len(data) - 1}/{len(data)}'
            self.send_header('Content-Range', place)
        self.end_headers()
        cut, self.server.cut = self.server.cut, None
        self.server.sent.append((self.path, header, len(body[:cut])))
        self.wfile.write(body[:cut])

    def log_message(self, format: str, *args: object) -> None:
        pass
