"""The consumer groups: what they begin with, what they work with, and what their emitted events mean."""

from __future__ import annotations

from tests.integration.shuffled.parties.analytics import ANALYTICS_PARTY
from tests.integration.shuffled.parties.embedding import EMBEDDING_PARTY
from tests.integration.shuffled.parties.gateway import GATEWAY_PARTY
from tests.integration.shuffled.parties.generation import GENERATION_PARTY
from tests.integration.shuffled.parties.storage import STORAGE_PARTY

PARTIES = (GATEWAY_PARTY, GENERATION_PARTY, ANALYTICS_PARTY, EMBEDDING_PARTY, STORAGE_PARTY)
