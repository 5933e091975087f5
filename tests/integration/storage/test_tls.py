"""An object store behind TLS is talked to if the authority in SSL_CERT_FILE vouches for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.servers import Servers
from tests.support.tls import encrypted

# In a process of its own: whom Python trusts is read once.
_ASK = """
import asyncio, sys
from libs.objectstore import ObjectStore, ObjectStoreAddress, ObjectStoreUnavailable

async def ask():
    store = ObjectStore(ObjectStoreAddress(*sys.argv[1:]))
    try:
        await store.put("tls/object", b"content", "text/plain")
        assert await store.get("tls/object") == b"content"
        assert await store.list_keys("tls/", 10) == ["tls/object"]
        print("talked")
    except ObjectStoreUnavailable as error:
        print(error)
    finally:
        await store.close()

asyncio.run(ask())
"""


def test_only_a_store_that_is_vouched_for_is_talked_to(servers: Servers, tmp_path: Path) -> None:
    address = servers.object_store_address
    with encrypted(address.endpoint, tmp_path) as (url, certificate):
        named = [url, address.region, address.bucket, address.access_key, address.secret_key]
        assert _said(named, {"SSL_CERT_FILE": str(certificate)}) == "talked"
        assert "cannot be reached" in _said(named, {})


def _said(named: list[str], trust: dict[str, str]) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"} | trust
    done = subprocess.run(
        [sys.executable, "-c", _ASK, *named], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()
