"""Looking for what nobody may have written down, as text, in hexadecimal digits, or however else it may have been."""

from __future__ import annotations

import base64
import ipaddress
import mmap
from collections import defaultdict
from collections.abc import Iterable, Iterator
from hashlib import md5, sha1, sha256
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

import numpy as np
import numpy.typing as npt

_WINDOW = 1 << 16
_LEAST = 6
"""So many bytes every form has; by those all places of a window are compared at once with all forms."""
_MASK = np.uint64((1 << 8 * _LEAST) - 1)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


def forms_of_text(text: str) -> Iterator[bytes]:
    """Return how a text may have been written down: itself, quoted, encoded, or hashed without a salt."""
    plain = text.encode()
    yield from {plain, quote(text, safe="").encode()}
    yield from _encoded(plain)
    for hashed in (md5, sha1, sha256):
        digest = hashed(plain).digest()
        yield digest[:16]
        yield digest[:16].hex().encode()


def forms_of_bytes(content: bytes) -> Iterator[bytes]:
    """Return how bytes may have been written down: themselves, or encoded."""
    yield content
    yield from _encoded(content)


def forms_of_address(address: str) -> Iterator[bytes]:
    """Return how an address may have been written down.

    The four bytes of one of IPv4 stand somewhere by chance, so they count only as PostgreSQL's `inet` has them.
    """
    parsed = ipaddress.ip_address(address)
    yield from forms_of_text(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        yield from forms_of_text(parsed.exploded)
        yield from forms_of_bytes(parsed.packed)
        # The network alone is somebody's, too.
        yield from _encoded(parsed.packed[:8])
        yield parsed.packed[:8]
        yield parsed.exploded[:19].encode()
        yield ipaddress.ip_network((parsed.packed[:8] + bytes(8), 64)).network_address.compressed.rstrip(":").encode()
    else:
        yield b"\x02\x20" + parsed.packed
        yield b"::ffff:" + address.encode()


def forms_of_id(wanted: UUID) -> Iterator[bytes]:
    """Return how an id may have been written down."""
    yield from forms_of_text(str(wanted))
    yield from forms_of_bytes(wanted.bytes)


def _encoded(content: bytes) -> Iterator[bytes]:
    yield content.hex().encode()
    yield content.hex().upper().encode()
    # Wherever it begins among what is encoded with it; what depends on its neighbours is cut off.
    for before in range(3):
        begin = -(-before * 8 // 6)
        whole = base64.b64encode(b"\0" * before + content).rstrip(b"=")
        end = (before + len(content)) * 8 // 6
        yield whole[begin:end]
        yield whole[begin:end].replace(b"+", b"-").replace(b"/", b"_")


class Needles:
    """Finds any number of needles at once, at about the speed at which bytes can be looked at."""

    def __init__(self, named: Iterable[tuple[str, Iterable[bytes]]]) -> None:
        """`named` are the forms of each thing, which have six bytes or more each."""
        self._names: dict[bytes, str] = {}
        self._by_key: dict[bytes, list[bytes]] = defaultdict(list)
        for name, forms in named:
            for form in forms:
                assert len(form) >= _LEAST, f"a form of {name} is so short that it stands anywhere: {form!r}"
                if form not in self._names:
                    self._names[form] = name
                    self._by_key[form[:_LEAST]].append(form)
        keys = np.array([int.from_bytes(key, "little") for key in self._by_key], np.uint64)
        self._keys = np.sort(keys)
        # So large that few places look like one, and as small as that allows: it is read for every byte.
        bits = len(keys).bit_length() + 6
        self._shift = np.uint64(64 - bits)
        self._is_near = np.zeros(1 << bits, np.bool_)
        self._is_near[self._near(keys)] = True

    def in_bytes(self, content: bytes | mmap.mmap) -> dict[str, int]:
        """Return what stands in these bytes, with the first place where it does."""
        found: dict[str, int] = {}
        for begin in range(0, len(content), _WINDOW):
            for place in self._places(content, begin):
                for form in self._by_key[content[place : place + _LEAST]]:
                    if content[place : place + len(form)] == form:
                        found.setdefault(self._names[form], place)
        return found

    def _places(self, content: bytes | mmap.mmap, begin: int) -> list[int]:
        """Return where in a window something begins like a needle."""
        count = min(_WINDOW, len(content) - begin - _LEAST + 1)
        window = content[begin : begin + _WINDOW + 8] + bytes(8)
        if count <= 0 or not np.frombuffer(window, np.uint8).any():
            return []
        numbers = np.ndarray((count,), np.dtype("<u8"), window, strides=(1,)) & _MASK
        near = np.flatnonzero(self._is_near.take(self._near(numbers)))
        wanted = numbers[near]
        nearest = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        found: list[int] = (near[self._keys[nearest] == wanted] + begin).tolist()
        return found

    def _near(self, numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.intp]:
        """Return a place in a table for each number, the same for some that differ."""
        return ((numbers * _SPREAD) >> self._shift).astype(np.intp)

    def in_file(self, path: Path) -> dict[str, int]:
        """Return what stands in a file; nothing when it is gone by now."""
        try:
            with path.open("rb") as file:
                if not path.stat().st_size:
                    return {}
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                    return self.in_bytes(content)
        except FileNotFoundError:
            return {}

    def below(self, folder: Path) -> dict[str, list[str]]:
        """Return what stands in the files below a folder, each with the files in which it does.

        Files are given other names meanwhile, as those of a log that are full: until no name is new it looks again.
        """
        found: dict[str, list[str]] = defaultdict(list)
        known: set[Path] = set()
        while new := sorted(set(folder.rglob("*")) - known):
            known.update(new)
            for path in new:
                if path.is_file() and not path.is_symlink():
                    for name in self.in_file(path):
                        found[name].append(str(path.relative_to(folder)))
        return dict(found)
