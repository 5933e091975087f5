"""Finding the voice that a client means who knows it by name."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import urlencode
from uuid import UUID

from libs.ids import parse_id
from services.gateway.adapters.asking import Asking

KNOWN_SECONDS = 5.0
"""How long a name may go on meaning the voice that it meant."""
MAX_NAMES = 10_000
"""About 3 MB."""
_PAGE = 100


class VoiceNames:
    """Which voice each organisation means by a name, remembered for a moment: a client repeats it with every text."""

    def __init__(self, stopwatch: Callable[[], float]) -> None:
        """`stopwatch` counts seconds and never goes back."""
        self._stopwatch = stopwatch
        self._known: OrderedDict[tuple[UUID, str], tuple[str, float]] = OrderedDict()

    async def find(self, asking: Asking, wanted: str) -> str:
        """Return the id of the voice that `wanted` names, or `wanted` if it is an id or the name of no voice.

        A custom voice goes before a system voice of the same name. Raises what `Asking.json` raises.
        """
        if parse_id(wanted) is not None:
            return wanted
        key = asking.caller.org_id, wanted.casefold()
        known = self._known.get(key)
        if known is not None and self._stopwatch() < known[1]:
            return known[0]
        found = await _look_up(asking, wanted)
        if found is None:
            return wanted
        self._known[key] = found, self._stopwatch() + KNOWN_SECONDS
        self._known.move_to_end(key)
        if len(self._known) > MAX_NAMES:
            self._known.popitem(last=False)
        return found


async def _look_up(asking: Asking, name: str) -> str | None:
    cursor: str | None = None
    system: str | None = None
    while True:
        query = {"query": name[:200], "limit": _PAGE} | ({"cursor": cursor} if cursor else {})
        page = await asking.json("GET", "voice", f"/v1/voices?{urlencode(query)}", template="/v1/voices")
        for voice in page["items"]:
            if voice["name"].casefold() != name.casefold():
                continue
            if voice["variant"] == "CUSTOM":
                return str(voice["id"])
            system = str(voice["id"])
        cursor = page["next_cursor"]
        if cursor is None:
            return system
