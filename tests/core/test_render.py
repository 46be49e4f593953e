from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from lbftp.core.ftp.lines import snippets
from lbftp.core.observe.keepalived import MAIN, includes_ours, marks, router_ids
from lbftp.core.observe.keepalived.tree import read
from lbftp.core.observe.keepalived.typed import meaning
from lbftp.core.ours import INCLUDE_DIR, MODPROBE_FILE, MODULE_FILE, SYSCTL_FILE
from lbftp.core.render import desired, keepalived, kernel, preview
from lbftp.core.render.desired import keepalived_files
from lbftp.core.render.ftp_check import script
from lbftp.core.spec import ClusterSpec, from_json, to_json
from lbftp.core.steps import main_text
from tests.core.cases import GUIDE, R1, golden, guide, pair
from tests.core.kinds import KINDS
from tests.core.strategies import sound_specs

LINKS = "ip link add pub0 type veth peer name int0 && ip link set pub0 up && ip link set int0 up"


def whole(spec: ClusterSpec) -> str:
    """Everything that the first router holds, and what an FTP server with Debian's layout does, as one text."""
    held = [(a.path, a.text) for a in preview(spec) if a.router == spec.routers[0].name]
    served = [(f"{s.daemon}: {f.path}", f.text) for s in snippets(spec) if s.platform == "debian" for f in s.files]
    return "".join(f"==> {path}\n{text}\n" for path, text in (*held, *served))


@pytest.mark.parametrize("name", KINDS)
def test_everything_rendered_equals_its_golden_file(name: str) -> None:
    golden(f"kinds/{name}.txt", whole(KINDS[name]))


def write_all(spec: ClusterSpec, folder: Path) -> Path:
    """The keepalived files of the first router below `folder`, and a main file that includes them."""
    for own in keepalived_files(spec, spec.routers[0]):
        path = folder / own.path.removeprefix(f"{INCLUDE_DIR}/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(own.text.replace(f"{INCLUDE_DIR}/", f"{folder}/"))
        path.chmod(own.mode)
    main = folder / "main"
    main.write_text(f"include {folder}/*.conf\n")
    return main


def test_keepalived_accepts_every_kind_of_cluster(tmp_path: Path) -> None:
    """In a network namespace with the router's interfaces, since a missing interface is a complaint too."""
    mains = {name: write_all(spec, tmp_path / name) for name, spec in KINDS.items()}
    checks = "".join(f"keepalived -t -f {main} || echo 'refused: {name}'\n" for name, main in mains.items())
    command = ["unshare", "--map-root-user", "--net", "sh", "-c", f"{LINKS}\n{checks}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""


def test_keepalived_accepts_two_clusters_of_one_group(tmp_path: Path) -> None:
    for name in ("guide", "shared-group"):
        main = write_all(KINDS[name], tmp_path)
    assert sorted(p.name for p in (tmp_path / "ftp.group.d").iterdir()) == ["ftp", "second"]
    command = ["unshare", "--map-root-user", "--net", "sh", "-c", f"{LINKS} && keepalived -t -f {main}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sound_specs())
def test_equal_clusters_render_equal_bytes(spec: ClusterSpec) -> None:
    again = from_json(to_json(spec))
    assert again.digest == spec.digest
    assert preview(again) == preview(spec)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sound_specs())
def test_keepalived_reads_exactly_what_was_meant(spec: ClusterSpec) -> None:
    """No value adds a block or a line: what is read back has the services, servers and instances of the cluster."""
    router = spec.routers[0]
    files: dict[str, str | None] = {f.path: f.text for f in keepalived_files(spec, router)}
    found = meaning(read({**files, MAIN: f"include {INCLUDE_DIR}/*.conf\n"}, MAIN))
    assert [s.mark for s in found.virtual_servers] == [spec.mark] * len(spec.sides)
    servers = {str(r.address) for s in found.virtual_servers for r in s.real_servers}
    assert servers == {str(a) for side in spec.sides for s in spec.servers(side.family) if (a := s.at(side.family))}
    names = {i.name for i in found.instances}
    assert names <= {f"lbftp_{spec.name}_public", f"lbftp_{spec.group}_internal"}
    assert {str(a.address.ip) for i in found.instances for a in i.addresses} >= {str(s.vip) for s in spec.sides}


def test_the_check_s_script_is_good_shell_and_says_whether_a_server_lives(tmp_path: Path) -> None:
    path = tmp_path / "check"
    path.write_text(script("ftp"))
    assert subprocess.run(["bash", "-n", str(path)], check=False).returncode == 0
    for answer, expected in ((b"220 hi\r\n331 go on\r\n", 0), (b"421 too many\r\n", 1), (b"", 1),
                             (b"220-hello\r\n220 hi\r\n530 no\r\n", 0), (b"220 hi\r\n421 later\r\n", 1)):  # fmt: skip
        with one_server(answer) as port:
            done = subprocess.run(["bash", str(path), "127.0.0.1", str(port)], capture_output=True, check=False)
        assert done.returncode == expected, (answer, done)


@contextmanager
def one_server(answer: bytes) -> Iterator[int]:
    """A server on the loopback that says `answer` to one client."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                client.sendall(answer)
                client.shutdown(socket.SHUT_WR)
                while client.recv(4096):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_no_port_stands_on_a_real_server_and_no_protocol_in_the_service() -> None:
    text = keepalived.text(GUIDE, R1)
    assert "protocol" not in text
    assert "real_server 10.0.50.11 {" in text


def test_the_guide_s_include_is_added_once_and_nothing_else_changes() -> None:
    for before in ("", "global_defs {\n}\n", "global_defs {\n}", "# include /etc/keepalived/lbftp.d/*.conf\n"):
        after = main_text(before)
        assert after.startswith(before)
        assert includes_ours(after)
        assert main_text(after) == after
    assert main_text("include /etc/keepalived/*/*.conf\n") == "include /etc/keepalived/*/*.conf\n"


def test_the_helper_s_ports_are_those_of_every_cluster_on_the_router() -> None:
    first = kernel.modprobe_file(guide(control_ports=(2121,)), None)
    assert first is not None
    assert "ports=2121\n" in first
    second = kernel.modprobe_file(guide(name="b", control_ports=(21, 2122)), first)
    assert second is not None
    assert second.endswith("options ip_vs_ftp ports=21,2121,2122\n")
    assert kernel.modprobe_file(guide(name="b", control_ports=(21, 2122)), second) == second
    back = kernel.modprobe_file(guide(mode="advertise"), second)
    assert back is not None
    assert back.endswith("options ip_vs_ftp ports=21,2122\n")
    assert kernel.modprobe_file(GUIDE, None) is None


def test_files_that_serve_all_clusters_keep_what_is_there_for_others() -> None:
    assert kernel.module_file("ip_vs_ftp\nip_vs_rr") == "ip_vs_ftp\nip_vs_rr"
    assert kernel.module_file("ip_vs_rr") == "ip_vs_rr\nip_vs_ftp\n"
    once = kernel.sysctl_file(KINDS["six-only"], kernel.sysctl_file(GUIDE, None))
    assert "net.ipv4.ip_forward = 1\nnet.ipv6.conf.all.forwarding = 1\n" in once
    assert kernel.sysctl_file(GUIDE, once) == once


def test_a_router_s_files_are_those_the_kind_of_cluster_needs() -> None:
    found = pair("fresh")["r1"]
    helper = {f.path for f in desired(GUIDE, found).files}
    assert helper > {MODULE_FILE, SYSCTL_FILE}
    assert MODPROBE_FILE not in helper
    direct = {f.path for f in desired(KINDS["direct"], found).files}
    assert direct == {f"{INCLUDE_DIR}/ftp.conf"}
    assert f"{INCLUDE_DIR}/ftp.check" in {f.path for f in desired(KINDS["ftp-check"], found).files}


def test_marks_and_router_ids_of_others_are_seen() -> None:
    text = "virtual_server fwmark 21 {\n}\nvrrp_instance a {\n virtual_router_id 7\n}\n"
    assert marks(text) == {21}
    assert router_ids(text) == {7}
