"""The probe's program with a real FTP server: every kind of session, and what is told of those that fail."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ops.bootstrap import UNPACK_INTO
from tests.workers.ftp_server import PASSWORD
from workers import here
from workers.errors import TimedOut
from workers.places import program

ROOT = Path(__file__).parents[2]
AS_ROOT = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
ALONE = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
HELLO = hashlib.sha256(b"hello\n").hexdigest()
LOOPBACK = {4: "127.0.0.1", 6: "::1"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with key and certificate, as vsftpd takes it."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/O=Lab/CN=ftp.example", "-days", "9"]
    subprocess.run([*argv, "-keyout", str(path), "-out", f"{path}.crt"], check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


def tls(certificate: Path, *more: str) -> list[str]:
    """vsftpd's lines for TLS that clients have to use; its default is to insist on the session being taken up."""
    return ["ssl_enable=YES", "allow_anon_ssl=YES", f"rsa_cert_file={certificate}", *more]


def kind(mode: str, ip: int = 4, tls: str = "none", port: int = 21) -> dict[str, Any]:
    return {"mode": mode, "ip": ip, "tls": tls, "port": port, "address": LOOPBACK[ip]}


def sessions(
    folder: Path, kinds: list[dict[str, Any]], lines: list[str], port: int = 21, **changes: Any
) -> list[dict[str, Any]]:
    """The rows that the program prints for these kinds."""
    job = {"username": "ftp", "password": PASSWORD, "path": "hello", "timeout": 2}
    job |= {"clients": [{"source": "", "kinds": kinds}], **changes}
    text = folder / "program.py"
    text.write_text(program(job))
    daemon = [sys.executable, "-m", "tests.workers.ftp_server", str(UNPACK_INTO), str(folder), str(text), str(port)]
    done = subprocess.run(
        [*AS_ROOT, *ALONE, *daemon, *lines], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def whole(rows: list[dict[str, Any]], kinds: list[dict[str, Any]]) -> None:
    assert [(r["ok"], r["message"], r["stage"]) for r in rows] == [(True, "", "done")] * len(kinds)
    assert [{k: r[k] for k in ("mode", "ip", "tls", "port")} for r in rows] == [
        {k: w[k] for k in ("mode", "ip", "tls", "port")} for w in kinds
    ]
    assert {(r["bytes"], r["sha256"]) for r in rows} == {(6, HELLO)}
    for row in rows:
        address = re.escape(f"[{LOOPBACK[6]}]" if row["ip"] == 6 else LOOPBACK[4])
        assert re.fullmatch(rf"{address}:{row['client_port']} > {address}:{row['port']}", row["control"])
        assert re.fullmatch(rf"{address}:\d+ > {address}:\d+", row["data"])


def test_plain_sessions_over_both_ip_versions(tmp_path: Path) -> None:
    kinds = [kind(mode) for mode in ("PASV", "EPSV", "PORT", "EPRT")] + [kind(mode, 6) for mode in ("EPSV", "EPRT")]
    rows = sessions(tmp_path, kinds, ["connect_from_port_20=YES"])
    whole(rows, kinds)
    assert [r["data_from"] for r in rows if r["mode"] in {"PORT", "EPRT"}] == [
        "127.0.0.1:20", "127.0.0.1:20", "[::1]:20",
    ]  # fmt: skip
    assert {r["certificate"] for r in rows} == {""}


def test_explicit_tls_takes_up_the_session_for_every_data_connection(tmp_path: Path, certificate: Path) -> None:
    kinds = [kind(mode, 4, "explicit", 2121) for mode in ("PASV", "EPSV", "PORT", "EPRT")]
    kinds += [kind(mode, 6, "explicit", 2121) for mode in ("EPSV", "EPRT")]
    must = tls(certificate, "require_ssl_reuse=YES", "force_anon_data_ssl=YES", "force_anon_logins_ssl=YES")
    rows = sessions(tmp_path, kinds, must, 2121)
    whole(rows, kinds)
    der = subprocess.run(
        ["openssl", "x509", "-in", str(certificate), "-outform", "DER"], check=True, capture_output=True
    ).stdout
    assert {r["certificate"] for r in rows} == {f"O=Lab,CN=ftp.example sha256:{hashlib.sha256(der).hexdigest()}"}


def test_implicit_tls(tmp_path: Path, certificate: Path) -> None:
    kinds = [kind("EPSV", 4, "implicit", 990), kind("EPRT", 6, "implicit", 990)]
    whole(sessions(tmp_path, kinds, tls(certificate, "implicit_ssl=YES"), 990), kinds)


def test_a_server_without_tls_is_named_with_its_answer(tmp_path: Path) -> None:
    (row,) = sessions(tmp_path, [kind("PASV", 4, "explicit")], [])
    assert (row["ok"], row["stage"], row["command"]) == (False, "AUTH", "AUTH TLS")
    assert row["message"] == row["reply"]
    assert row["reply"].startswith("5")


def test_a_server_that_insists_on_tls_refuses_the_plain_login(tmp_path: Path, certificate: Path) -> None:
    (row,) = sessions(tmp_path, [kind("PASV")], tls(certificate, "force_anon_logins_ssl=YES"))
    assert not row["ok"]
    assert row["stage"] in {"USER", "PASS"}
    assert re.match(r"5\d\d ", row["reply"])


def test_another_address_in_the_answer_is_named_with_the_whole_way(tmp_path: Path) -> None:
    (row,) = sessions(tmp_path, [kind("PASV")], ["listen=YES", "listen_ipv6=NO", "pasv_address=127.0.0.9"])
    assert not row["ok"]
    assert row["reply"].startswith("227 Entering Passive Mode (127,0,0,9,")
    port = row["stage"].removeprefix("PASV connect to 127.0.0.9:")
    assert row["data"] == f"127.0.0.1:{row['data_client_port']} > 127.0.0.9:{port}"
    assert (row["command"], row["message"]) == ("PASV", "[Errno 111] Connection refused")


def test_a_refused_password_is_not_told(tmp_path: Path) -> None:
    banned = tmp_path / "banned"
    banned.write_text("hidden-word\n")
    lines = ["deny_email_enable=YES", f"banned_email_file={banned}"]
    (row,) = sessions(tmp_path, [kind("PASV")], lines, password="hidden-word")
    assert (row["stage"], row["command"], row["reply"]) == ("PASS", "PASS ****", "530 Login incorrect.")
    assert "hidden-word" not in json.dumps(row)


def test_an_account_without_a_password_needs_none(tmp_path: Path) -> None:
    whole(sessions(tmp_path, [kind("EPSV")], ["no_anon_password=YES"]), [kind("EPSV")])


def test_nobody_listening_is_named_with_both_ends(tmp_path: Path) -> None:
    (row,) = sessions(tmp_path, [kind("PASV", 6, "none", 2199)], [])
    assert (row["stage"], row["message"]) == ("connect", "[Errno 111] Connection refused")
    assert row["control"].endswith(" > [::1]:2199")


WRITABLE = ["write_enable=YES", "anon_upload_enable=YES", "anon_umask=022", "anon_world_readable_only=NO"]
UPLOAD = {"folder": "incoming", "name": "lbftp-probe-7", "bytes": 300_000}


def left_there(folder: Path) -> list[str]:
    return [path.name for path in (folder / "files/incoming").iterdir()]


def test_uploads_come_back_the_same_and_are_deleted(tmp_path: Path, certificate: Path) -> None:
    kinds = [kind(mode, 4, "explicit", 2121) for mode in ("PASV", "EPRT")] + [kind("EPSV", 6, "explicit", 2121)]
    lines = [*tls(certificate, "require_ssl_reuse=YES"), *WRITABLE, "anon_other_write_enable=YES"]
    rows = sessions(tmp_path, kinds, lines, 2121, upload=UPLOAD)
    whole(rows, kinds)
    assert all(set(r["times"]) == {"connect", "login", "first_byte"} and min(r["times"].values()) >= 0 for r in rows)
    assert all(set(r["rates"]) == {"down", "up"} and r["rates"]["up"] > 1000 for r in rows)
    assert (left_there(tmp_path), {r["left"] for r in rows}) == ([], {""})


def test_where_nothing_may_be_uploaded_the_server_s_answer_is_told(tmp_path: Path) -> None:
    (row,) = sessions(tmp_path, [kind("EPSV")], ["write_enable=NO"], upload=UPLOAD)
    assert (row["ok"], row["stage"], row["error"], row["reply"][:3]) == (False, "STOR", "reply", "550")
    assert row["command"].startswith("STOR incoming/lbftp-probe-7-")
    assert (row["left"], row["sha256"]) == ("", HELLO)


def test_what_cannot_be_deleted_is_named(tmp_path: Path) -> None:
    (row,) = sessions(tmp_path, [kind("EPSV")], [*WRITABLE, "anon_other_write_enable=NO"], upload=UPLOAD)
    assert (row["ok"], row["stage"], row["reply"][:3]) == (False, "DELE", "550")
    assert [f"incoming/{name}" for name in left_there(tmp_path)] == [row["left"]]


def test_the_worker_s_own_machine_is_a_place_like_any_other(tmp_path: Path) -> None:
    """Its password is in no command line and no environment, and what the program says comes line by line."""
    text = tmp_path / "program.py"
    text.write_text(_FROM_HERE)
    daemon = [sys.executable, "-m", "tests.workers.ftp_server", str(UNPACK_INTO), str(tmp_path), str(text), "21"]
    done = subprocess.run(
        [*AS_ROOT, *ALONE, *daemon, *WRITABLE, "anon_other_write_enable=YES"],
        capture_output=True, text=True, timeout=60, check=False, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    rows, seen = map(json.loads, done.stdout.splitlines())
    assert [(r["ok"], r["place"], r["message"]) for r in rows] == [(True, "the worker", "")] * 2
    assert seen["told"] == 2
    assert seen["leaks"] == []


_FROM_HERE = """
import contextlib, json, pathlib
from lbftp.core.job import Probe
from workers.places import opened
from workers.remote import Limits

leaks, told = [], []

def heed(row):
    told.append(row)
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            # Of those that are there: one may have ended since.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if b"canary-word" in (path / name).read_bytes():
                    leaks.append(f"{path}/{name}")

kinds = [{"mode": mode, "tls": "none", "ip": 4, "address": "127.0.0.1", "port": 21} for mode in ("EPSV", "EPRT")]
with opened([Probe(None, (), "ftp", "hello", "canary-word", "incoming")], Limits()) as (places, closed):
    rows = places[0].sessions([{"source": "", "kinds": kinds}], 7, 2, heed)
print(json.dumps(rows))
print(json.dumps({"leaks": leaks, "told": len(told)}))
"""


def test_a_program_that_does_not_end_is_stopped() -> None:
    with pytest.raises(TimedOut, match="did not end within 1 s"):
        here.run("import time; print(1, flush=True); time.sleep(60)", seconds=1, on_line=lambda _: None)
    answer = here.run("import sys; sys.exit('no such thing')", seconds=20, on_line=lambda _: None)
    assert (answer.code, answer.err) == (1, "no such thing\n")
