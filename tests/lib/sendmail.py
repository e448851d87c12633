"""A private Sendmail: unpacked beside Postfix, whose package excludes it, with its own configuration and queue.

What it takes for example.org it passes on to a scripted server of ours (backend)."""
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from gatehouse import free_port, wait_for_port
from unpacked import unpacked

PACKAGES = ("sendmail-bin", "sendmail-base", "sendmail-cf", "libwrap0")

MC = """divert(-1)
divert(0)dnl
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `mail.example.org')dnl
define(`QUEUE_DIR', `{d}/queue')dnl
define(`confPID_FILE', `{d}/sendmail.pid')dnl
define(`STATUS_FILE', `{d}/statistics')dnl
define(`HELP_FILE', `{d}/helpfile')dnl
define(`confSERVICE_SWITCH_FILE', `{d}/service.switch')dnl
define(`confHOSTS_FILE', `{d}/hosts')dnl
define(`ALIAS_FILE', `')dnl
define(`confCW_FILE', `{d}/local-host-names')dnl
define(`confDONT_BLAME_SENDMAIL', `GroupWritableDirPathSafe,TrustStickyBit')dnl
define(`confDELIVERY_MODE', `{delivery}')dnl
define(`confTO_IDENT', `0')dnl
define(`confTO_ICONNECT', `5s')dnl
define(`confCONNECTION_RATE_THROTTLE', `0')dnl
define(`confBAD_RCPT_THROTTLE', `0')dnl
define(`confREFUSE_LA', `0')dnl
define(`confQUEUE_LA', `1000')dnl
define(`confDELAY_LA', `0')dnl
define(`confMILTER_MACROS_EOM', `i')dnl
define(`SMART_HOST', `esmtp:[127.0.0.1]')dnl
define(`ESMTP_MAILER_ARGS', `TCP $h {backend}')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`accept_unqualified_senders')dnl
FEATURE(`nouucp', `reject')dnl
RELAY_DOMAIN(`example.org')dnl
DAEMON_OPTIONS(`Name=MTA, Addr=127.0.0.1, Port={port}')dnl
{filters}
MAILER(`smtp')dnl
"""


def program_folder():
    """The folder of the binary and its configuration sources, or None."""
    root = unpacked("sendmail", PACKAGES) if shutil.which("m4") else None
    if root:
        (root / "usr/libexec/sendmail/sendmail").chmod(0o755)  # not set-gid: it writes its own queue
    return root


class Sendmail:
    """with Sendmail(folder, backend=port, milter="unix:/…") as s: … s.port"""

    def __init__(self, folder, backend, milter, flags="F=T", delivery="background", filters=None):
        root = program_folder()
        if root is None:
            pytest.skip("skipped: Sendmail can't be had (it takes root, dpkg, m4 and Debian's packages)")
        self.folder = Path(folder)
        self.port = free_port()
        (self.folder / "queue").mkdir(parents=True)
        (self.folder / "queue").chmod(0o700)
        (self.folder / "service.switch").write_text("hosts\tfiles\naliases\tfiles\n")
        (self.folder / "hosts").write_text("127.0.0.1 localhost\n192.0.2.7 mail.pass.example\n")
        (self.folder / "local-host-names").write_text("")
        if milter:
            filters = f"INPUT_MAIL_FILTER(`gatehouse', `S={milter}, {flags}, T=C:10s;S:60s;R:60s;E:2m')dnl"
        cf = root / "usr/share/sendmail/cf"
        (self.folder / "sendmail.mc").write_text(MC.format(d=self.folder, backend=backend, port=self.port,
                                                           filters=filters or "", delivery=delivery))
        made = subprocess.run(["m4", f"-D_CF_DIR_={cf}/", f"{cf}/m4/cf.m4", "sendmail.mc"], cwd=self.folder,
                              capture_output=True, text=True)
        assert made.returncode == 0, made.stderr
        (self.folder / "sendmail.cf").write_text(made.stdout)
        self.program = root / "usr/libexec/sendmail/sendmail"
        libraries = sorted({str(p.parent) for p in root.rglob("libwrap.so*")})
        self.environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}
        self.output = self.folder / "output"
        self.process = None

    def __enter__(self):
        command = f"hostname mail.example.org && exec {self.program} -bD -C {self.folder}/sendmail.cf -X {self.output}.talk"
        with open(self.output, "wb") as out:
            self.process = subprocess.Popen(["unshare", "--uts", "sh", "-c", command], env=self.environment,
                                            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=subprocess.STDOUT, start_new_session=True)
        if not wait_for_port(self.port, 20):
            self.__exit__()
            raise AssertionError("Sendmail did not start: " + self.output.read_text(errors="replace"))
        return self

    def __exit__(self, *exc):
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(10)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def queue(self):
        """Names of the queue's control files: hf is held, qf waits."""
        return sorted(p.name for p in (self.folder / "queue").glob("[hq]f*"))

    def run_queue(self):
        self.run("-q")

    def run(self, *args):
        """Another of it: mailq, queue runs."""
        command = f"hostname mail.example.org && exec {self.program} -C {self.folder}/sendmail.cf \"$@\""
        return subprocess.run(["unshare", "--uts", "sh", "-c", command, "sendmail", *args], env=self.environment, cwd=self.folder,
                              capture_output=True, text=True, timeout=60).stdout
