"""A scripted virus scanner that speaks clamd's INSTREAM over a unix socket."""
import socket
import struct
import threading


class FakeClamd:
    """finds: bytes → name of the finding. behave: None, or "close", "silent",
    "error", "limit" (answers early and hangs up), "garbage"."""

    def __init__(self, path, finds=None):
        self.path, self.finds, self.behave = str(path), finds or {}, None
        self.seen = []
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(self.path)
        self.sock.listen(64)
        self.open = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.sock.close()
        for c in self.open:
            c.close()

    def _accept(self):
        while True:
            try:
                c, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(c,), daemon=True).start()

    def _serve(self, c):
        try:
            self._dialogue(c)
        except (OSError, struct.error):
            pass
        if self.behave != "silent":
            c.close()
        self.open.append(c)

    def _dialogue(self, c):
        f = c.makefile("rb")
        if self.behave == "close":
            return
        assert f.read(10) == b"zINSTREAM\0"
        data = b""
        while True:
            size, = struct.unpack(">I", f.read(4))
            if size == 0:
                break
            data += f.read(size)
            if self.behave == "limit":
                c.sendall(b"INSTREAM size limit exceeded. ERROR\0")
                return
        self.seen.append(data)
        if self.behave == "silent":
            return
        name = next((n for b, n in self.finds.items() if b in data), None)
        answer = {"error": b"stream: lstat() failed ERROR\0", "garbage": b"hello\0"}.get(self.behave)
        c.sendall(answer or (f"stream: {name} FOUND\0".encode() if name else b"stream: OK\0"))
