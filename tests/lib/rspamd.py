"""A private Rspamd to compare with: unpacked beside vectorscan, whose package excludes the Hyperscan that it needs.

Its own rules and modules as they come, but without Redis and without what only the outside answers (fuzzy hashes). What it compiled is kept under build/ for the next run."""
import http.client
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from gatehouse import TOP, free_port, wait_for_port
from unpacked import unpacked

PACKAGES = ("rspamd", "libhyperscan5", "libluajit2-5.1-2", "libluajit2-5.1-common", "libsodium23", "libsqlite3-0",
            "libunwind8", "libglib2.0-0", "libicu72")

CONF = """
.include "$CONFDIR/common.conf"
options {{
  pidfile = "$RUNDIR/rspamd.pid";
  .include "$CONFDIR/options.inc"
  .include(priority=10) "$CONFDIR/ours.inc"
}}
lang_detection {{ languages = "$SHAREDIR/languages"; }}
logging {{ type = "file"; filename = "$LOGDIR/rspamd.log"; .include "$CONFDIR/logging.inc" }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; mime = true; task_timeout = 30s; }}
worker "rspamd_proxy" {{
  bind_socket = "{unix} mode=0666";
  milter = yes; timeout = 120s; count = {proxies};
  upstream "local" {{ default = yes; self_scan = yes; }}
}}
"""
OPTIONS = """
dns {{ nameserver = ["127.0.0.1:{dns}:1"]; timeout = 2s; retransmits = 2; }}
filters = "chartable,dkim,regexp";
"""


class Rspamd:
    """with Rspamd(folder, dns=port) as r: … r.check(mail) … r.unix; None of it if r.why tells why not.

    dns: a name server on loopback. proxies: how many workers speak milter at r.unix.
    """

    def __init__(self, folder, dns, proxies=1):
        self.folder = Path(folder)
        self.port = free_port()
        self.unix = self.folder / "milter.sock"
        self.process = None
        self.root = unpacked("rspamd", PACKAGES)
        self.why = None if self.root else "the package rspamd can't be had"
        if self.why:
            return
        shutil.copytree(self.root / "etc/rspamd", self.folder / "etc")
        (self.folder / "etc/rspamd.conf").write_text(CONF.format(port=self.port, unix=self.unix, dns=dns, proxies=proxies))
        (self.folder / "etc/ours.inc").write_text(OPTIONS.format(dns=dns))
        (self.folder / "etc/local.d/fuzzy_check.conf").write_text("enabled = false;\n")
        self.cache = TOP / "build" / "rspamd-cache"
        for sub in (self.folder / "log", self.folder / "run", self.cache):
            sub.mkdir(parents=True, exist_ok=True)
        for sub in (self.folder, self.folder / "log", self.folder / "run", self.cache):
            os.chown(sub, pwd.getpwnam("nobody").pw_uid, -1)

    def variables(self):
        share = self.root / "usr/share/rspamd"
        return {"CONFDIR": self.folder / "etc", "LOCAL_CONFDIR": self.folder / "etc", "RUNDIR": self.folder / "run",
                "DBDIR": self.cache, "LOGDIR": self.folder / "log", "SHAREDIR": share, "PLUGINSDIR": share / "plugins",
                "RULESDIR": share / "rules", "LUALIBDIR": share / "lualib", "WWWDIR": share / "www"}

    def log(self):
        return "".join(p.read_text(errors="replace") for p in (self.folder / "out", self.folder / "log/rspamd.log")
                       if p.exists())

    def __enter__(self):
        if self.why:
            return self
        libraries = f"{self.root}/usr/lib/x86_64-linux-gnu:{self.root}/usr/lib/rspamd"
        command = [str(self.root / "usr/bin/rspamd"), "-f", "-u", "nobody", "-g", "nogroup", "-c",
                   str(self.folder / "etc/rspamd.conf"), *[f"--var={k}={v}" for k, v in self.variables().items()]]
        with open(self.folder / "out", "wb") as out:
            self.process = subprocess.Popen(command, env={**os.environ, "LD_LIBRARY_PATH": libraries},
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
        if not wait_for_port(self.port, 180):
            self.why = "rspamd did not start: " + self.log()[-300:]
        return self

    def __exit__(self, *exc):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def pids(self, kind):
        """Processes whose title tells this: "normal", "rspamd_proxy"."""
        out = subprocess.run(["pgrep", "-P", str(self.process.pid), "-f", f"rspamd: {kind} process"], capture_output=True,
                             text=True).stdout
        return [int(x) for x in out.split()]

    def wait_compiled(self, seconds=40):
        """Until the workers have their patterns compiled: its helper does that after the start, if they aren't kept."""
        end = time.time() + seconds
        while time.time() < end and not re.search(r"\(normal\).*hyperscan database.*loaded", self.log()):
            time.sleep(0.5)

    def check(self, mail):
        """What rspamc does: the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", "/checkv2", body=mail)
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer
