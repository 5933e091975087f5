"""A stack with tracing on, as it is measured: the gateway, and the services as the gateway asks them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psutil

from deploy.embedded.home import Home
from deploy.embedded.ports import read_ports
from libs.ids import new_id
from libs.service import read_secret
from libs.web import Caller
from libs.web.identity import HEADER, sign
from services.gateway.domain.organizations import FIRST_ORGANIZATION_ID
from tests.support.otlp import SpanReceiver
from tests.support.stack import Stack, running_stack

SAMPLED = 0.1
AMPLE = "10000000"


@dataclass(frozen=True)
class Stage:
    """A running stack."""

    stack: Stack

    @property
    def key(self) -> dict[str, str]:
        """The headers of a client."""
        return {"authorization": f"Bearer {self.stack.api_key}"}

    @property
    def gateway(self) -> psutil.Process:
        """The gateway's process."""
        return psutil.Process(self.stack.pid("gateway"))

    def service_url(self, service: str) -> str:
        """Where a service is, past the gateway."""
        return f"http://127.0.0.1:{read_ports(Home(self.stack.home).ports_file)[service]}"

    def identity(self, service: str) -> dict[str, str]:
        """The headers with which the gateway would ask a service in the name of the first organisation."""
        key = bytes.fromhex(read_secret(self.stack.home / "secrets" / "identity" / service))
        return {HEADER: sign(Caller(FIRST_ORGANIZATION_ID, new_id()), service, key)}


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    """Run a stack whose traces are sampled and exported, with limits that are counted and not reached."""
    with SpanReceiver.running() as receiver:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": str(SAMPLED),
            "ANTIPHON_ENTERPRISE_KEY_REQUESTS": AMPLE,
            "ANTIPHON_ENTERPRISE_ORGANIZATION_REQUESTS": AMPLE,
        }
        with running_stack(environment) as stack:
            yield Stage(stack)
