"""The output formats: their names, what a server says of them, and in what form their chunks are kept."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Codec(StrEnum):
    """What a format is called before its numbers. opus and ogg are the same: Opus in Ogg pages."""

    MP3 = "mp3"
    WAV = "wav"
    OPUS = "opus"
    OGG = "ogg"
    FLAC = "flac"
    AAC = "aac"
    PCM = "pcm"
    ULAW = "ulaw"
    ALAW = "alaw"


SAMPLE_RATES = (8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)

_OPUS_KBPS = (24, 32, 48, 64, 96, 128, 192)
_AAC_KBPS = (24, 32, 48, 64, 96, 128, 160, 192)
_MOST_AAC_KBPS_AT_22_050 = 128
"""A frame of 1,024 samples has at most 6,144 bits."""
_LOWEST_AAC_RATE = 22_050
"""The first frame of 1,024 samples fades in (`aac`); at lower rates that would be heard."""
_LOWEST_RATE_BY_MP3_KBPS = (
    (32_000, (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)),  # MPEG-1
    (16_000, (16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)),  # MPEG-2
    (8000, (16, 24, 32, 40, 48, 56, 64)),  # MPEG-2.5, of which LAME uses no more
)
_SHORT_NAMES = {
    "mp3": "mp3_22050_64",
    "wav": "wav_22050",
    "opus": "opus_48000_64",
    "ogg": "ogg_48000_64",
    "flac": "flac_22050",
    "aac": "aac_24000_64",
    "pcm": "pcm_24000",  # as OpenAI's "pcm"
    "ulaw": "ulaw_8000",
    "alaw": "alaw_8000",
}
_EXTENSIONS = {Codec.OPUS: "opus", Codec.OGG: "ogg"}
_CONTENT_TYPES = {
    Codec.MP3: "audio/mpeg",
    Codec.WAV: "audio/wav",
    Codec.OPUS: "audio/ogg; codecs=opus",
    Codec.OGG: "audio/ogg; codecs=opus",
    Codec.FLAC: "audio/flac",
    Codec.AAC: "audio/aac",
}
_RAW_CONTENT_TYPES = {Codec.PCM: "audio/pcm", Codec.ULAW: "audio/PCMU", Codec.ALAW: "audio/PCMA"}


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """Mono audio in one codec. Raises ValueError, which names what is possible, for numbers that the codec has not."""

    codec: Codec
    sample_rate: int
    """In Hz, of the audio that is heard."""
    bit_rate_kbps: int | None = None
    """Of mp3, Opus and AAC; None for the others."""

    def __post_init__(self) -> None:
        rates = sample_rates(self.codec)
        if self.sample_rate not in rates:
            raise ValueError(
                f"{self.codec} has no sample rate of {self.sample_rate} Hz: possible are {_listed(rates)}, "
                f"as in {_SHORT_NAMES[self.codec]}"
            )
        bit_rates = bit_rates_kbps(self.codec, self.sample_rate)
        if bit_rates and self.bit_rate_kbps not in bit_rates:
            raise ValueError(
                f"{self.codec}_{self.sample_rate} needs one of these bit rates in kbit/s: {_listed(bit_rates)}, "
                f"as in {self.codec}_{self.sample_rate}_{bit_rates[0]}"
            )
        if not bit_rates and self.bit_rate_kbps is not None:
            raise ValueError(f"{self.codec} has no bit rate: use {self.codec}_{self.sample_rate}")

    @property
    def name(self) -> str:
        """The canonical name, which `parse_output_format` reads: mp3_44100_128, wav_22050."""
        bit_rate = "" if self.bit_rate_kbps is None else f"_{self.bit_rate_kbps}"
        return f"{self.codec}_{self.sample_rate}{bit_rate}"

    @property
    def content_type(self) -> str:
        """The MIME type. What has no header of its own says its sample rate here."""
        if self.codec in _CONTENT_TYPES:
            return _CONTENT_TYPES[self.codec]
        if (self.codec, self.sample_rate) == (Codec.ULAW, 8000):
            return "audio/basic"
        return f"{_RAW_CONTENT_TYPES[self.codec]};rate={self.sample_rate}"

    @property
    def extension(self) -> str:
        """Of file names, without the dot."""
        return _EXTENSIONS.get(self.codec, self.codec.value)

    @property
    def segment(self) -> str:
        """The canonical name of the form in which single chunks are kept. Formats of an equal one share chunks."""
        if self.codec is Codec.MP3:
            return self.name
        if self.codec in (Codec.OPUS, Codec.OGG):
            return OutputFormat(Codec.OPUS, self.sample_rate, self.bit_rate_kbps).name
        return OutputFormat(Codec.PCM, self.sample_rate).name


def sample_rates(codec: Codec) -> tuple[int, ...]:
    """The sample rates that a codec can have, in Hz."""
    if codec is Codec.AAC:
        return tuple(rate for rate in SAMPLE_RATES if rate >= _LOWEST_AAC_RATE)
    return (48_000,) if codec in (Codec.OPUS, Codec.OGG) else SAMPLE_RATES


def bit_rates_kbps(codec: Codec, sample_rate: int) -> tuple[int, ...]:
    """The bit rates that a codec can have at a sample rate; none if it has no such thing."""
    if codec is Codec.MP3:
        return next(rates for lowest, rates in _LOWEST_RATE_BY_MP3_KBPS if sample_rate >= lowest)
    if codec is Codec.AAC:
        return tuple(kbps for kbps in _AAC_KBPS if sample_rate >= 32_000 or kbps <= _MOST_AAC_KBPS_AT_22_050)
    return _OPUS_KBPS if codec in (Codec.OPUS, Codec.OGG) else ()


def parse_output_format(name: str) -> OutputFormat:
    """The format of a short name (mp3), a full one (mp3_44100_128) or one of ElevenLabs', whose names are the same.

    Raises ValueError, which names what is possible.
    """
    word, *numbers = _SHORT_NAMES.get(name, name).split("_")
    if word not in _SHORT_NAMES:
        raise ValueError(
            f"there is no output format {name[:40]!r}: use {', '.join(_SHORT_NAMES)}, "
            "or one with its sample rate and bit rate, such as mp3_44100_128, opus_48000_64 or wav_22050"
        )
    codec = Codec(word)
    needed = len(_SHORT_NAMES[codec].split("_")) - 1
    if len(numbers) != needed or not all(number.isascii() and number.isdigit() for number in numbers):
        raise ValueError(
            f"{name[:40]!r} is no name of an output format: use {codec}, or numbers as in {_SHORT_NAMES[codec]}"
        )
    output_format = OutputFormat(codec, *(int(number[:9]) for number in numbers))
    if output_format.name != _SHORT_NAMES.get(name, name):
        raise ValueError(f"{name[:40]!r} is no output format: use {output_format.name}")
    return output_format


def output_formats() -> tuple[OutputFormat, ...]:
    """All of them."""
    return tuple(
        OutputFormat(codec, rate, bit_rate)
        for codec in Codec
        for rate in sample_rates(codec)
        for bit_rate in bit_rates_kbps(codec, rate) or (None,)
    )


def _listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers))
