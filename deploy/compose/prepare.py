"""What containers need before they start: secrets, made once, and for each container its share of them.

Runs to its end before the others, as root and without a network: `python -m deploy.compose.prepare VOLUMES`, where
`VOLUMES/secrets` keeps all secrets, `VOLUMES/shares/<container>` becomes that container's read-only volume, and
`VOLUMES/data/*` are the folders that servers without an account of their own keep their data in. Safe to run again.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.broker import users_block
from deploy.compose.shares import SHARES
from deploy.embedded.credentials import ensure_secrets, read_secret
from deploy.embedded.home import write_atomically
from deploy.embedded.processes import Account

ACCOUNT = Account(10001, 10001)
"""As whom containers run, but for PostgreSQL's: deploy/Dockerfile makes it."""
POSTGRES_ACCOUNT = Account(999, 999)
"""`postgres` in PostgreSQL's images for Debian. Others read their secret as root, before they become theirs."""

_HERE = Path(__file__).parent


def main(volumes: Path, account: Account = ACCOUNT, postgres_account: Account = POSTGRES_ACCOUNT) -> None:
    vault = volumes / "secrets"
    vault.chmod(0o700)
    is_new = not any(vault.iterdir())
    ensure_secrets(vault)
    for container, files in all_shares(vault).items():
        _hand_over(volumes / "shares" / container, files, postgres_account if container == "postgres" else account)
    for folder in (volumes / "data").iterdir():
        os.chown(folder, account.uid, account.gid)
        folder.chmod(0o700)
    print("made new secrets and handed them out" if is_new else "handed out the secrets that were there", flush=True)


def all_shares(vault: Path) -> dict[str, dict[str, str]]:
    """For each container the files that it gets and what is in them."""
    shares = {container: {name: read_secret(vault, name) for name in names} for container, names in SHARES.items()}
    shares["nats"] = {
        "nats.conf": (_HERE / "nats.conf").read_text(),
        "users.conf": users_block(lambda user: read_secret(vault, f"nats_{user}")),
    }
    shares["s3"] = {"s3.sh": (_HERE / "s3.sh").read_text(), "s3.json": _s3_identities(vault)}
    return shares


def _s3_identities(vault: Path) -> str:
    keys = {"accessKey": read_secret(vault, "s3_access_key"), "secretKey": read_secret(vault, "s3_secret_key")}
    actions = ["Admin", "Read", "List", "Tagging", "Write"]
    return json.dumps({"identities": [{"name": "antiphon", "credentials": [keys], "actions": actions}]})


def _hand_over(folder: Path, files: Mapping[str, str], account: Account) -> None:
    """Make `folder` hold these files and no others; what is right already is not replaced, for it may be being read."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file() and str(path.relative_to(folder)) not in files:
            path.unlink()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_text() != content:
            write_atomically(path, content, mode=0o600)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, account.uid, account.gid)
        path.chmod(0o700 if path.is_dir() else 0o600)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
