"""The containers: all that must be there, closed to strangers, started in the right order."""

from __future__ import annotations

import re

import pytest

from deploy.compose.prepare import ACCOUNT
from deploy.embedded.programs import PROGRAMS, Program
from tests.contract.compose import ROOT
from tests.contract.compose.composition import Composition, Container

COMPOSITION = Composition.read()
CONTAINERS = COMPOSITION.containers.values()
OURS = [container for container in CONTAINERS if container.image.startswith("antiphon:")]
SERVERS = {"postgres": "pgvector/pgvector:", "nats": "nats:", "s3": "chrislusf/seaweedfs:"}
MOUNT = "/etc/antiphon"


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_every_program_of_the_embedded_stack_has_its_container(program: Program) -> None:
    container = COMPOSITION.containers[program.name]
    assert container.module == program.module
    once = program.kind == "once"
    assert ("restart" not in container.said) is once, "what runs to its end is not restarted, all else is"
    assert ("healthcheck" not in container.said) is once


def test_the_servers_are_there() -> None:
    for name, image in SERVERS.items():
        assert COMPOSITION.containers[name].image.startswith(image)


def test_every_foreign_image_is_pinned() -> None:
    foreign = [container.image for container in CONTAINERS if container not in OURS]
    assert [image for image in foreign if not re.fullmatch(r"[a-z0-9./-]+:(pg)?\d[\w.]*", image)] == []


def test_one_container_builds_the_image_and_the_others_never_look_for_it_elsewhere() -> None:
    assert [container.name for container in OURS if "build" in container.said] == ["prepare"]
    assert {container.said.get("pull_policy") for container in OURS if "build" not in container.said} == {"never"}
    assert len({container.image for container in OURS}) == 1
    assert (ROOT / COMPOSITION.containers["prepare"].said["build"]["dockerfile"]).is_file()


def test_nothing_is_published_but_the_gateway_and_the_object_store_on_this_machine() -> None:
    published = {container.name: container.ports for container in CONTAINERS if "profiles" not in container.said}
    port = COMPOSITION.containers["gateway"].given["ANTIPHON_PORT"]
    assert {name: ports for name, ports in published.items() if ports} == {
        "gateway": [f"127.0.0.1:8080:{port}"],
        "s3": ["127.0.0.1:8333:8333"],
    }


def test_urls_are_signed_for_where_clients_reach_the_object_store() -> None:
    (published,) = COMPOSITION.containers["s3"].ports
    given = COMPOSITION.containers["storage"].given
    assert given["ANTIPHON_S3_PUBLIC_ENDPOINT"] == f"http://{published.rpartition(':')[0]}"
    assert given["ANTIPHON_S3_ENDPOINT"] == f"http://s3:{published.rpartition(':')[2]}"


def test_what_a_profile_adds_is_published_on_this_machine_only() -> None:
    added = [port for container in CONTAINERS if "profiles" in container.said for port in container.ports]
    assert [port for port in added if not port.startswith("127.0.0.1:")] == []
    assert not [container.name for container in CONTAINERS if container.said.get("network_mode") == "host"]


def test_volumes_are_declared_and_used() -> None:
    assert COMPOSITION.volumes == {volume for container in CONTAINERS for volume in container.volumes}


def test_prepare_has_the_share_of_every_container() -> None:
    shares = {f"{name}-secrets": f"/volumes/shares/{name}" for name in COMPOSITION.containers}
    handed_out = COMPOSITION.containers["prepare"].volumes
    for container in CONTAINERS:
        mine = {volume for volume, where in container.volumes.items() if where == MOUNT}
        assert mine <= {f"{container.name}-secrets"}, f"{container.name} has the secrets of another one"
        for volume in mine:
            assert handed_out[volume] == shares[volume]
            assert f"{volume}:{MOUNT}:ro" in container.said["volumes"]
    assert [container.name for container in CONTAINERS if "secrets" in container.volumes] == ["prepare"]


def test_everything_waits_for_what_it_needs() -> None:
    def all_before(name: str) -> set[str]:
        waits_for = COMPOSITION.containers[name].waits_for
        return set(waits_for).union(*map(all_before, waits_for))

    for name in SERVERS:
        assert COMPOSITION.containers[name].waits_for == {"prepare": "service_completed_successfully"}
    assert all_before("init") >= {*SERVERS, "prepare"}
    for program in PROGRAMS:
        if program.kind != "once":
            assert all_before(program.name) >= set(program.after)
    for container in CONTAINERS:
        for other, condition in container.waits_for.items():
            ends = "restart" not in COMPOSITION.containers[other].said
            assert (condition == "service_completed_successfully") is ends, f"{container.name} waits for {other}"
            if condition == "service_healthy":
                assert "healthcheck" in COMPOSITION.containers[other].said


def test_our_containers_may_do_little() -> None:
    for container in [*OURS, COMPOSITION.containers["nats"], COMPOSITION.containers["s3"]]:
        assert container.said["read_only"] is True
        assert container.said["cap_drop"] == ["ALL"]
        assert container.said["security_opt"] == ["no-new-privileges:true"]
        user = "root" if container.name == "prepare" else f"{ACCOUNT.uid}:{ACCOUNT.gid}"
        assert container.said["user"] == user
    assert COMPOSITION.containers["prepare"].said["network_mode"] == "none"


def test_a_container_has_time_to_drain() -> None:
    for program in PROGRAMS:
        if program.kind != "once":
            assert int(COMPOSITION.containers[program.name].said["stop_grace_period"].rstrip("s")) > 10


def test_health_is_asked_where_the_program_listens() -> None:
    for program in PROGRAMS:
        container: Container = COMPOSITION.containers[program.name]
        if program.kind != "once":
            assert f"127.0.0.1:{container.given['ANTIPHON_PORT']}/readyz" in container.said["healthcheck"]["test"][-1]
