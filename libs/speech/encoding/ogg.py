"""Opus packets in Ogg pages (RFC 3533, RFC 7845)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator

_MOST_PACKETS = 50
"""A page a second at most, so that a stream is heard as it comes."""
_MOST_SEGMENTS = 255
_SERIAL = 1
_BEGIN, _END = 0x02, 0x04
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class OggOpusPages:
    """The pages of one stream, in order. `pre_skip` is in samples at 48 kHz."""

    def __init__(self, pre_skip: int, packet_samples: int) -> None:
        self._pre_skip = pre_skip
        self._packet_samples = packet_samples
        self._page = 0
        self._position = 0

    def head(self, input_rate: int) -> bytes:
        """The two pages before the sound."""
        opus_head = struct.pack("<8sBBHIhB", b"OpusHead", 1, 1, self._pre_skip, input_rate, 0, 0)
        vendor = b"Antiphon"
        opus_tags = b"OpusTags" + struct.pack("<I", len(vendor)) + vendor + struct.pack("<I", 0)
        return self._write([opus_head], 0, _BEGIN) + self._write([opus_tags], 0, 0)

    def add(self, packets: Iterable[bytes]) -> bytes:
        """Pages with all of these packets."""
        return b"".join(self._sounding(page) for page in _in_pages(packets))

    def finish(self, silent_packet: bytes) -> bytes:
        """The last page: silence that brings the end of the sound out of the decoder, cut where the sound ended."""
        end = self._position + self._pre_skip
        packets = [silent_packet] * -(-self._pre_skip // self._packet_samples)
        return self._write(packets, end, _END)

    def _sounding(self, packets: list[bytes]) -> bytes:
        self._position += len(packets) * self._packet_samples
        return self._write(packets, self._position, 0)

    def _write(self, packets: list[bytes], position: int, flags: int) -> bytes:
        lacing = b"".join(_lacing(packet) for packet in packets)
        fields = (b"OggS", 0, flags, position, _SERIAL, self._page)
        self._page += 1
        body = struct.pack("B", len(lacing)) + lacing + b"".join(packets)
        page = struct.pack("<4sBBqIII", *fields, 0) + body
        return struct.pack("<4sBBqIII", *fields, _checksum(page)) + body


def _in_pages(packets: Iterable[bytes]) -> Iterator[list[bytes]]:
    page: list[bytes] = []
    segments = 0
    for packet in packets:
        needed = len(packet) // 255 + 1
        if page and (len(page) == _MOST_PACKETS or segments + needed > _MOST_SEGMENTS):
            yield page
            page, segments = [], 0
        page.append(packet)
        segments += needed
    if page:
        yield page


def _lacing(packet: bytes) -> bytes:
    """The length of a packet as a page writes it."""
    return b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255])


def _checksum(page: bytes) -> int:
    """Ogg's CRC-32 is zlib's with the bits in the other order, begun with zeros and not inverted."""
    mirrored = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(_MIRRORED), "big")
