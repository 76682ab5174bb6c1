"""The SFTP server as it is deployed: its host keys, and what clients are told of them."""

import json
from pathlib import Path

from pulumi.runtime.rpc import is_rpc_secret, unwrap_rpc_secret

from infra import host_key
from tests.infra.conftest import Graph, Program
from tests.support import host_key_pem


def test_without_a_given_key_aws_makes_them_and_the_servers_own_fingerprint_is_told(graph: Graph) -> None:
    (server,) = graph.of("Server")
    assert "hostKey" not in server.inputs
    assert graph.of("HostKey") == []
    # As OpenSSH shows it: what AWS answers ends in a padding.
    assert graph.outputs["sftp_host_key_fingerprints"] == ["SHA256:x"]


def test_a_given_key_is_the_servers_own_and_secret(program: Program, clients: Path) -> None:
    pem = host_key_pem("ed25519")
    graph = program(clients, sftp_host_key=pem)
    (server,) = graph.of("Server")
    assert is_rpc_secret(server.inputs["hostKey"])
    assert unwrap_rpc_secret(server.inputs["hostKey"]) == pem
    assert graph.of("HostKey") == []
    assert graph.outputs["sftp_host_key_fingerprints"] == [host_key.parse(pem, setting="x").fingerprint]


def test_further_keys_are_added_to_the_server_and_secret(program: Program, clients: Path) -> None:
    first, second = host_key_pem("ed25519"), host_key_pem("ecdsa")
    graph = program(clients, sftp_host_key=first, sftp_further_host_keys=json.dumps([second]))
    (added,) = graph.of("HostKey")
    expected = host_key.parse(second, setting="x")
    assert added.inputs["serverId"] == "sftp-server-id"
    assert is_rpc_secret(added.inputs["hostKeyBody"])
    assert unwrap_rpc_secret(added.inputs["hostKeyBody"]) == expected.pem
    assert graph.outputs["sftp_host_key_fingerprints"] == [
        host_key.parse(first, setting="x").fingerprint,
        expected.fingerprint,
    ]
