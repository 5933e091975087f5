"""Files that are damaged, lie, or want to do harm: each is answered within the bound, and nothing else is lost."""

from __future__ import annotations

import asyncio
import io
import random
import struct
import time
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import psutil
import pytest

from libs.audio.intake import DecodingFailed, DecodingTooLong, Examined, Intake, IntakeError, Limits, NotAudio
from libs.audio.quality import judge
from tests.integration.audio.recordings import Encoding, Samples, encoded, flac_of_silence, wav

pytestmark = pytest.mark.asyncio(loop_scope="session")

ENCODINGS = (
    Encoding("wav", "pcm_s16le", 16_000),
    Encoding("mp3", "libmp3lame", 24_000),
    Encoding("ipod", "aac", 24_000),
    Encoding("flac", "flac", 16_000),
    Encoding("ogg", "libopus"),
    Encoding("webm", "libopus"),
    Encoding("adts", "aac", 24_000),
)
MAGICS = {
    "wav": b"RIFF\xff\xff\xff\xffWAVEfmt ",
    "mp3": b"ID3\x04\0\0\0\0\0\0\xff\xfb\x90\x64",
    "m4a": b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom\0\0\0\0",
    "flac": b"fLaC\0\0\0\x22",
    "ogg": b"OggS\0\x02",
    "webm": b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01",
    "aac": b"\xff\xf1\x50\x80\x20\x1f\xfc",
    "none": b"",
}
WITHIN_SECONDS = Limits().wall_seconds + 5
EACH = 20


def files(samples: Samples, sample_rate: int) -> list[bytes]:
    """500 files that are hardly audio any more, the same ones every time."""
    chance = random.Random(4)
    short = samples[: 4 * sample_rate]
    made: list[bytes] = [encoded(short, sample_rate, encoding) for encoding in ENCODINGS]
    hostile: list[bytes] = [magic + chance.randbytes(chance.randrange(20_000)) for magic in MAGICS.values()]
    for content in made:
        hostile += [content[: chance.randrange(len(content))] for _ in range(EACH)]
        hostile += [_flipped(content, chance, count) for count in (1, 5, 25, 125, 625) for _ in range(4)]
        hostile += [_with_a_hole(content, chance) for _ in range(10)]
        hostile += [_heading_of(content, chance) for _ in range(10)]
    while len(hostile) < 500:
        hostile.append(chance.choice(list(MAGICS.values())) + chance.randbytes(chance.randrange(20_000)))
    return hostile


def _flipped(content: bytes, chance: random.Random, bits: int) -> bytes:
    changed = bytearray(content)
    for _ in range(bits):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _with_a_hole(content: bytes, chance: random.Random) -> bytes:
    begin = chance.randrange(len(content))
    return content[:begin] + content[begin + chance.randrange(5_000) :]


def _heading_of(content: bytes, chance: random.Random) -> bytes:
    """The same file with nonsense in its headers."""
    changed = bytearray(content)
    at = chance.randrange(4, 200)
    changed[at : at + 4] = chance.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", chance.randbytes(4)))
    return bytes(changed)


async def test_500_broken_files_are_each_answered(intake: Intake, spoken: tuple[Samples, int]) -> None:
    hostile = files(*spoken)
    before = psutil.Process().memory_info().rss
    seconds: list[float] = []

    async def outcome(content: bytes) -> str:
        began = time.monotonic()
        try:
            examined = await intake.examine(content)
        except IntakeError as reason:
            return type(reason).__name__
        finally:
            seconds.append(time.monotonic() - began)
        assert judge([examined.report]).reasons, "four seconds were sent"
        return "Examined"

    outcomes: Counter[str] = Counter()
    for begin in range(0, len(hostile), 20):
        outcomes.update(await asyncio.gather(*map(outcome, hostile[begin : begin + 20])))
    assert outcomes.total() == 500
    assert outcomes["NotAudio"] > 50
    assert outcomes["Examined"] > 50
    assert outcomes["DecodingTooLong"] == outcomes["DecodingFailed"] == 0
    assert max(seconds) < WITHIN_SECONDS
    assert psutil.Process().memory_info().rss - before < 64 * 2**20


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("voice.wav", b"RIFF" * 100)
    return out.getvalue()


NOT_AUDIO = {
    "empty": b"",
    "a byte": b"R",
    "zeros": bytes(100_000),
    "ones": b"\xff" * 100_000,
    "text": b"This is a recording of my voice. " * 100,
    "html": b"<!doctype html><html><body><audio src='file:///etc/passwd'></audio></body></html>",
    "pdf": b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n",
    "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde",
    "zip": _zip(),
    "elf": b"\x7fELF\x02\x01\x01" + bytes(200),
    "midi": b"MThd\0\0\0\x06\0\0\0\x01\0\x60MTrk\0\0\0\x04\0\xff\x2f\0",
    "sdp": b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 5004 RTP/AVP 0\r\n",
    "wav without samples": wav(np.zeros(0, np.float32), 16_000),
    "wav of three samples": wav(np.zeros(3, np.float32), 16_000),
}


@pytest.mark.parametrize("content", NOT_AUDIO.values(), ids=NOT_AUDIO)
async def test_what_is_no_audio_is_refused(intake: Intake, content: bytes) -> None:
    with pytest.raises(NotAudio) as refused:
        await intake.examine(content)
    assert str(refused.value)


PLAYLISTS = {
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{target}'\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
    '<AdaptationSet mimeType="audio/mp4"><Representation id="0" bandwidth="1"><BaseURL>{target}</BaseURL>'
    "</Representation></AdaptationSet></Period></MPD>",
    "pls": "[playlist]\nFile1={target}\nNumberOfEntries=1\n",
}


@pytest.mark.parametrize("playlist", PLAYLISTS.values(), ids=PLAYLISTS)
async def test_a_playlist_is_refused_unread(
    intake: Intake, spoken: tuple[Samples, int], tmp_path: Path, playlist: str
) -> None:
    local = tmp_path / "voice.wav"
    local.write_bytes(wav(*spoken))
    asked: list[bool] = []

    def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(True)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    async with server:
        for target in (str(local), f"file://{local}", f"http://127.0.0.1:{port}/voice.wav"):
            with pytest.raises(NotAudio):
                await intake.examine(playlist.format(target=target).encode())
    assert not asked


async def test_a_format_outside_the_list_is_refused_though_it_could_be_decoded(
    intake: Intake, spoken: tuple[Samples, int]
) -> None:
    for encoding in (Encoding("aiff", "pcm_s16be"), Encoding("au", "pcm_s16be"), Encoding("matroska", "ac3")):
        with pytest.raises(NotAudio):
            await intake.examine(encoded(*spoken, encoding))


async def test_hours_of_silence_in_a_small_file_are_cut_short(intake: Intake) -> None:
    bomb = flac_of_silence(hours=6)
    assert len(bomb) < 2 * 2**20
    examined = await intake.examine(bomb, limits=Limits(audio_seconds=60))
    assert examined.report.stopped_early
    assert examined.report.decoded_seconds == pytest.approx(60, abs=1)
    assert len(examined.pcm) <= 61 * examined.sample_rate * 2


@pytest.mark.parametrize(
    ("says", "codes"),
    [(10.0, {"duration_mismatch"}), (0.3, {"too_little_speech"}), (1.0, set())],
    ids=["more than there is", "less than there is", "the truth"],
)
async def test_a_header_that_lies_about_the_length(
    intake: Intake, spoken: tuple[Samples, int], says: float, codes: set[str]
) -> None:
    content = bytearray(wav(*spoken))
    at = content.index(b"data") + 4
    struct.pack_into("<I", content, at, int((len(content) - at - 4) * says) & ~1)
    report = (await intake.examine(bytes(content))).report
    assert {reason.code for reason in judge([report]).reasons} == codes


async def test_junk_in_the_frames_of_an_mp3_is_not_taken_for_speech(intake: Intake) -> None:
    chance = random.Random(1)
    junk = b"".join(b"\xff\xfb\x90\x64" + chance.randbytes(413) for _ in range(1_000))
    examined = await _examined_or_none(intake, junk)
    assert examined is None or not judge([examined.report]).ready


async def test_samples_that_are_no_numbers_are_counted_as_damage(intake: Intake) -> None:
    samples = np.random.default_rng(1).standard_normal(48_000).astype("<f4")
    samples[:5_000:2], samples[1:5_000:2] = np.nan, np.inf
    samples[5_000:6_000] = 3e38
    header = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 0, b"WAVE", b"fmt ", 16, 3, 1, 24_000, 96_000, 4, 32)
    report = (await intake.examine(header + struct.pack("<4sI", b"data", samples.nbytes) + samples.tobytes())).report
    assert report.decode_errors == 1
    assert report.peak_dbfs == pytest.approx(18, abs=0.1)


async def _examined_or_none(intake: Intake, content: bytes) -> Examined | None:
    try:
        return await intake.examine(content)
    except NotAudio:
        return None


async def test_a_file_that_needs_too_much_memory_fails_alone(intake: Intake, spoken: tuple[Samples, int]) -> None:
    little = Limits(memory_bytes=32 * 2**20, audio_seconds=3600)
    with pytest.raises(DecodingFailed, match="memory"):
        await intake.examine(flac_of_silence(hours=1), limits=little)
    assert (await intake.examine(wav(*spoken))).pcm


@pytest.mark.parametrize(
    "limits", [Limits(wall_seconds=0.05), Limits(cpu_seconds=1, audio_seconds=6 * 3600)], ids=["clock", "cpu"]
)
async def test_a_file_that_takes_too_long_fails_alone(
    intake: Intake, spoken: tuple[Samples, int], limits: Limits
) -> None:
    with pytest.raises(DecodingTooLong, match="longer than"):
        await intake.examine(flac_of_silence(hours=3), limits=limits)
    assert (await intake.examine(wav(*spoken))).pcm


async def test_a_file_that_is_too_large_is_refused(intake: Intake) -> None:
    with pytest.raises(NotAudio, match="20 MB"):
        await intake.examine(bytes(20 * 2**20 + 1))
