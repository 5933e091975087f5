"""What use cases and the gateway's own routes work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from libs.database import Database
from libs.objectstore import ObjectStore
from services.gateway.adapters.plans import Plans
from services.gateway.adapters.services import Services
from services.gateway.domain.visitors import Visitors
from services.gateway.usecases.limiter import Limiter
from services.gateway.usecases.live import Subscriptions
from services.gateway.usecases.voices import VoiceNames
from services.gateway.usecases.webhooks import Webhooks


@dataclass(frozen=True, slots=True)
class Deps:
    """What use cases and the gateway's own routes work with.

    `services` are asked in the name of callers; `voice_names` knows which voices these mean by a name;
    `limiter` has let in already what comes through a route of the table, but a WebSocket has to ask it;
    `subscriptions` are the clients that are told events as they happen, `webhooks` the URLs; `objects` is where
    exports lie until they are downloaded; `visitors` makes tokens of those of the operator's sites.
    """

    database: Database
    clock: Callable[[], datetime]
    services: Services
    voice_names: VoiceNames
    limiter: Limiter
    subscriptions: Subscriptions
    webhooks: Webhooks
    plans: Plans
    objects: ObjectStore
    visitors: Visitors
