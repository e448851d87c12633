"""A scripted SMTP server: records what it gets, misbehaves where told."""
import re
import socket
import threading


class FakeBackend:
    """script maps a stage (banner, EHLO, MAIL, RCPT, DATA, content, RSET, QUIT)
    to what happens there: bytes (the reply as it stands, b"" for silence),
    "close", a function of the socket and the file read from it (False:
    close), or a list of these used in turn (the last one stays)."""

    EHLO = b"250-fake\r\n250-PIPELINING\r\n250-SIZE 50000000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES\r\n"
    NORMAL = {"banner": b"220 fake ESMTP\r\n", "HELO": b"250 fake\r\n", "MAIL": b"250 2.1.0 Ok\r\n",
              "RCPT": b"250 2.1.5 Ok\r\n", "DATA": b"354 go\r\n", "content": b"250 2.0.0 taken\r\n",
              "RSET": b"250 2.0.0 Ok\r\n", "QUIT": b"221 2.0.0 bye\r\n"}

    def __init__(self, script=None, port=0, ehlo=None, lmtp=False, host="127.0.0.1"):
        self.script = dict(script or {})
        self.ehlo = ehlo or self.EHLO
        self.lmtp = lmtp
        self.messages = []      # dicts: mail, rcpt, data
        self.commands = []      # every line, in order
        self.connections = 0
        self.peers = []         # where they came from
        self.sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((host, port))
        self.sock.listen(128)
        self.port = self.sock.getsockname()[1]
        self.open = []
        self.lock = threading.Lock()
        self.here = threading.local()  # the file read from, of each connection's thread
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()

    def stop(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
        self.hang_up()

    def hang_up(self):
        """Ends all connections there are."""
        for c in self.open:
            try:
                c.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self):
        while True:
            try:
                c, peer = self.sock.accept()
            except OSError:
                return
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            self.peers.append(peer[0])
            self.open.append(c)
            threading.Thread(target=self._serve, args=(c,), daemon=True).start()

    def _say(self, c, stage, normal=None):
        """False: the connection is to be closed."""
        act = self.script.get(stage, normal if normal is not None else self.NORMAL.get(stage, b"500 what\r\n"))
        if isinstance(act, list):
            with self.lock:
                act = act.pop(0) if len(act) > 1 else act[0]
        if act == "close":
            return False
        if callable(act):
            return act(c, self.here.file)
        c.sendall(act)
        return True

    def _serve(self, c):
        try:
            self._dialogue(c)
        except (OSError, ValueError):
            pass
        finally:
            c.close()

    def _dialogue(self, c):
        f = self.here.file = c.makefile("rb")
        mail = rcpt = None
        if not self._say(c, "banner"):
            return
        while True:
            line = f.readline()
            if not line:
                return
            text = line.rstrip(b"\r\n")
            self.commands.append(text.decode("utf-8", "replace"))
            verb = text[:4].upper().decode("latin-1")
            if verb in ("EHLO", "LHLO"):
                if not self._say(c, "EHLO", self.ehlo):
                    return
                continue
            if verb == "MAIL":
                mail, rcpt = text, []
            elif verb == "RCPT":
                rcpt.append(text)
            elif verb == "DATA":
                if not self._say(c, "DATA"):
                    return
                lines, before = [], b"\r\n"
                while True:
                    more = f.readline()
                    if not more:
                        return
                    if more == b".\r\n" and before.endswith(b"\r\n"):
                        break
                    lines.append(more)
                    before = more
                data = re.sub(rb"(?m)^\.", b"", b"".join(lines))
                act = self.script.get("content")
                if act is None or (isinstance(act, bytes) and act.startswith(b"2")):
                    self.messages.append({"mail": mail, "rcpt": rcpt, "data": data})
                for _ in rcpt if self.lmtp else [0]:
                    if not self._say(c, "content"):
                        return
                continue
            if not self._say(c, verb):
                return
            if verb == "QUIT":
                return
