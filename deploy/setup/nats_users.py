"""deploy/nats_users.json: what each of the broker's users may do, from what the services declare."""

from __future__ import annotations

import json
from dataclasses import asdict

from deploy.embedded.programs import PROGRAMS
from deploy.init import all_consumers
from libs.messaging import Consumers
from libs.messaging.permissions import permissions

OPERATOR = "provisioner"
"""May do everything in the account: it makes streams and durables, and runs the operator's commands."""


def nats_users() -> str:
    """Return the file's text."""
    groups = {consumers.group: consumers for consumers in all_consumers()}
    users: dict[str, object] = {OPERATOR: None}
    for program in PROGRAMS:
        if program.kind == "once":
            continue
        allowed = permissions(
            program.nats_user,
            program.service,
            relays=program.name == program.service,
            consumers=groups.get(program.nats_user, Consumers(program.nats_user)),
        )
        users[program.nats_user] = asdict(allowed)
    return json.dumps(users, indent=1) + "\n"
