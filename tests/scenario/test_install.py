"""What `make install` puts down works as it lies: configuration, unit, manual pages, folders of state."""
import os
import pwd
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from fake_backend import FakeBackend
from gatehouse import TOP, Client, Gatehouse


@pytest.fixture(name="installed", scope="module")
def installed_tree(module_place):
    def install():
        return subprocess.run(["make", "--no-print-directory", "install", f"DESTDIR={module_place}"], cwd=TOP,
                              capture_output=True, text=True)
    first = install()
    assert first.returncode == 0, first.stdout + first.stderr
    own = module_place / "etc/gatehouse/rules/local.cf"
    own.write_text("score GH_NOTHING 1\n")
    conf = module_place / "etc/gatehouse/gatehouse.conf"
    conf.write_text(conf.read_text() + "# changed here\n")
    assert install().returncode == 0
    assert own.exists() and "# changed here" in conf.read_text(), "an upgrade keeps what the administrator wrote"
    return module_place


def test_configuration_is_good(installed):
    text = (installed / "etc/gatehouse/gatehouse.conf").read_text()
    rules = re.search(r'rules +\{ paths = \{"([^"]+)"', text)[1]
    assert list((installed / rules.lstrip("/")).glob("*.cf")), "the rules it names are those installed"
    here = installed / "here.conf"
    here.write_text(text.replace('"/', f'"{installed}/').replace("user = gatehouse", "user = nobody"))
    p = subprocess.run([installed / "usr/local/sbin/gatehouse", "check", "-c", here], capture_output=True, text=True)
    assert p.returncode == 0, p.stdout + p.stderr


def test_unit(installed):
    tool = shutil.which("systemd-analyze")
    if not tool:
        pytest.skip("skipped: no systemd-analyze")
    unit = (installed / "usr/local/lib/systemd/system/gatehouse.service").read_text()
    unit = unit.replace("/usr/local/sbin", f"{installed}/usr/local/sbin")
    copy = installed / "gatehouse.service"
    copy.write_text(unit)
    p = subprocess.run([tool, "verify", "--man=no", copy], capture_output=True, text=True)
    assert p.returncode == 0 and "gatehouse" not in p.stderr, p.stderr


def test_manual_pages(installed):
    pages = list((installed / "usr/local/share/man").rglob("*.[58]"))
    assert len(pages) >= 2
    for page in pages:
        p = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True)
        assert p.returncode == 0, p.stdout


def owned_by(folder, name):
    return pwd.getpwuid(folder.stat().st_uid).pw_name == name and folder.stat().st_mode & 0o777 == 0o750


@pytest.mark.skipif(os.geteuid() != 0, reason="skipped: not root")
def test_folders_of_state_are_made(place):
    with FakeBackend() as b, Gatehouse(place / "g", backend=b.port, top="user = nobody") as g:
        g.stop()
        shutil.rmtree(g.state)
        g.start()
        assert owned_by(g.state, "nobody") or owned_by(Path(g.state) / "store", "nobody"), g.log()
        with Client(g.port) as c:
            c.hello()
            assert c.mail()[0] == 250
        assert not g.wait_log("event=store", 0.1), g.log()
        g.stop()
        os.chown(g.state, 0, 0)
        os.chmod(g.state, 0o755)
        g.start()
        assert g.wait_log(f"{g.state}: user nobody can't write there", 5), "told, and left as it is"
