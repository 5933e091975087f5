"""What a worker has just spoken and kept: whatever it joins next it need not read again."""

from __future__ import annotations

from collections import OrderedDict

MOST_BYTES = 32 * 2**20


class Recent:
    """The newest pieces of audio by their object keys, up to `most_bytes` together; each is given out once."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        """Nothing is there at first."""
        self._most_bytes = most_bytes
        self._bytes = 0
        self._contents: OrderedDict[str, bytes] = OrderedDict()

    def keep(self, key: str, content: bytes) -> None:
        """Remember what lies under a key; the oldest go when it gets too much."""
        self._contents[key] = content
        self._bytes += len(content)
        while self._bytes > self._most_bytes:
            _, oldest = self._contents.popitem(last=False)
            self._bytes -= len(oldest)

    def take(self, key: str) -> bytes | None:
        """Return what lies under a key and forget it; None when it is not known here."""
        content = self._contents.pop(key, None)
        if content is not None:
            self._bytes -= len(content)
        return content
