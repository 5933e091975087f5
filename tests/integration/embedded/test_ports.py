from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from deploy.embedded.errors import StackError
from deploy.embedded.ports import Ports, read_ports

NAMES = ("postgres", "nats", "s3_admin")
PAIRS = {"s3_admin": ("s3_admin_grpc", 10_000)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ports.json"


@pytest.fixture
def ports(file: Path) -> Iterator[Ports]:
    with closing(Ports(file)) as ports:
        ports.choose(NAMES, fixed={}, pairs=PAIRS)
        yield ports


def choose_again(file: Path) -> dict[str, int]:
    with closing(Ports(file)) as ports:
        ports.choose(NAMES, fixed={}, pairs=PAIRS)
        return dict(ports)


def listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen()
    return listener


def test_ports_are_different_paired_and_below_those_of_outgoing_connections(ports: Ports) -> None:
    assert ports["s3_admin_grpc"] == ports["s3_admin"] + 10_000
    assert len(set(ports.values())) == 4
    assert all(10_240 <= ports[name] <= 32_767 for name in NAMES)


def test_ports_are_kept_while_they_are_free(ports: Ports, file: Path) -> None:
    first = dict(ports)
    ports.close()
    assert choose_again(file) == first == read_ports(file)
    with closing(listen(first["nats"])):
        second = choose_again(file)
    assert second["nats"] != first["nats"]
    assert second["postgres"] == first["postgres"]


def test_the_process_that_a_port_is_meant_for_can_listen_on_it_though_it_is_held(ports: Ports) -> None:
    with closing(listen(ports["postgres"])), pytest.raises(OSError, match="in use"), socket.socket() as stranger:
        stranger.bind(("127.0.0.1", ports["nats"]))


def test_a_fixed_port_that_is_taken_is_refused_by_name(file: Path) -> None:
    with closing(listen(0)) as listener, closing(Ports(file)) as ports:
        taken = listener.getsockname()[1]
        with pytest.raises(StackError, match=rf"Port {taken}, where the gateway should listen, is taken by .*pid"):
            ports.choose([], fixed={"gateway": taken})
    assert read_ports(file) == {}


@pytest.mark.parametrize("content", ["", "[]", "{", '{"nats": "x"}'])
def test_a_spoilt_file_is_no_obstacle(file: Path, content: str) -> None:
    file.write_text(content)
    assert read_ports(file) == {}
