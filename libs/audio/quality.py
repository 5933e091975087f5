"""What was measured of a recording, and the rules by which recordings are good enough for a voice. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

MOST_BYTES = 20 * 2**20
"""Of all files of a voice together; the platform's rule for reference audio."""

LEAST_SPEECH_SECONDS = 10.0
"""Of all files of a voice together; the platform's rule for reference audio."""

LITTLE_SPEECH_SECONDS = 30.0
"""Below this the median pitch and the spectrum of a voice still move from one excerpt to the next."""

LOWEST_SAMPLE_RATE = 8_000
"""Telephone speech (ITU-T G.711) has 8 kHz; what has less lacks whole consonants."""

NARROW_BANDWIDTH = 5_000
"""Hz. Telephone speech ends at 3.4 kHz, so less than this sounds like one, whatever the sample rate says."""

MOST_MISMATCH = 0.2
"""Share by which the decoded duration may miss the declared one. Encoder delay and padding are below 0.1 s; a file that
is cut off or is no audio misses by more."""

SOME_MISMATCH = 0.05

MOST_DECODE_ERRORS = 0.05
"""Share of packets. One in twenty lost is heard as stutter by everybody (ITU-T G.113 puts speech without concealment at
"poor" from there)."""

MOST_CLIPPED = 0.01
"""Share of samples at full scale; from 1 % on speech is audibly distorted."""

SOME_CLIPPED = 0.001

LEAST_SNR_DB = 10.0
"""Below it the noise is nearly as loud as the soft consonants, and is taken for part of the voice."""

GOOD_SNR_DB = 20.0
"""What a quiet room with an ordinary microphone gives."""

LEAST_SPEECH_SHARE = 0.3
"""A recording that is mostly something else is more often the wrong file than a slow speaker."""

GOOD_SPEECH_SHARE = 0.5

QUIETEST_LUFS = -45.0
"""22 dB below the quietest delivery level in use (-23 LUFS, EBU R 128): the noise of the recorder comes up with it."""

QUIET_LUFS = -35.0


@dataclass(frozen=True, slots=True)
class QualityReport:
    """What was measured of one file; `dataclasses.asdict` makes JSON of it (no NaN, no infinity).

    Shares lie between 0 and 1. Levels are in dB below full scale, -120 for silence. `sample_rate` (Hz) and `channels`
    are the file's own. `declared_seconds` is what the container promises, None where it promises nothing. `decoded` is
    what came out; `stopped_early` says that there was more, beyond the limit. `loudness_lufs` is the integrated
    loudness of ITU-R BS.1770 (None: nothing above its gate). `snr_db` compares speech with the pauses in it, at most
    80 (None: no speech or no pause to compare). `bandwidth_hz` is where the spectrum ends.
    """

    container: str
    codec: str
    size_bytes: int
    sample_rate: int
    channels: int
    declared_seconds: float | None
    decoded_seconds: float
    stopped_early: bool
    packets: int
    decode_errors: int
    peak_dbfs: float
    rms_dbfs: float
    clipped_share: float
    loudness_lufs: float | None
    leading_silence_seconds: float
    trailing_silence_seconds: float
    speech_seconds: float
    speech_share: float
    snr_db: float | None
    bandwidth_hz: float

    @property
    def decode_error_share(self) -> float:
        """Share of the packets that did not decode."""
        return self.decode_errors / max(1, self.packets)

    @property
    def mismatch(self) -> float:
        """Share by which the decoded duration misses the declared one; 0 where nothing can be said."""
        if not self.declared_seconds or self.stopped_early:
            return 0.0
        return abs(self.decoded_seconds - self.declared_seconds) / self.declared_seconds


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `file` counts from 0 in the order of the reports; None: all of them together."""

    code: str
    message: str
    file: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reasons` reject, `warnings` do not. Both speak to the person who uploaded the files."""

    reasons: tuple[Finding, ...]
    warnings: tuple[Finding, ...]

    @property
    def ready(self) -> bool:
        """Whether a voice can be made of the files."""
        return not self.reasons


@dataclass(frozen=True, slots=True)
class _Rule:
    """`measure` returns None where the rule has nothing to say. `worst` rejects, `weak` warns."""

    code: str
    measure: Callable[[QualityReport], float | None]
    worst: float | None
    weak: float | None
    message: str
    higher_is_worse: bool = True

    def broken(self, report: QualityReport, limit: float | None) -> bool:
        value = self.measure(report)
        if value is None or limit is None:
            return False
        return value > limit if self.higher_is_worse else value < limit


_RULES = (
    _Rule(
        "duration_mismatch",
        lambda report: report.mismatch,
        MOST_MISMATCH,
        SOME_MISMATCH,
        "it says that it lasts {report.declared_seconds:.1f} s, but {report.decoded_seconds:.1f} s could be decoded; "
        "it is cut off or damaged, so export it again",
    ),
    _Rule(
        "decode_errors",
        lambda report: report.decode_error_share,
        MOST_DECODE_ERRORS,
        0.0,
        "{report.decode_errors} of its {report.packets} packets cannot be decoded; it is damaged, so export it again",
    ),
    _Rule(
        "clipping",
        lambda report: report.clipped_share,
        MOST_CLIPPED,
        SOME_CLIPPED,
        "{clipped:.1f} % of it is clipped; record it again at a lower input level",
    ),
    _Rule(
        "noise",
        lambda report: report.snr_db,
        LEAST_SNR_DB,
        GOOD_SNR_DB,
        "its speech is only {report.snr_db:.0f} dB above the noise; "
        "record closer to the microphone or in a quieter room",
        higher_is_worse=False,
    ),
    _Rule(
        "speech_share",
        lambda report: report.speech_share,
        LEAST_SPEECH_SHARE,
        GOOD_SPEECH_SHARE,
        "only {speech:.0f} % of it is speech; cut away the music and the pauses",
        higher_is_worse=False,
    ),
    _Rule(
        "sample_rate",
        lambda report: report.sample_rate,
        LOWEST_SAMPLE_RATE,
        None,
        "it has {report.sample_rate} samples a second; at least 8000 are needed, and 24000 or more sound best",
        higher_is_worse=False,
    ),
    _Rule(
        "bandwidth",
        lambda report: report.bandwidth_hz,
        None,
        NARROW_BANDWIDTH,
        "its sound ends at {report.bandwidth_hz:.0f} Hz, like a telephone call; a microphone recording sounds better",
        higher_is_worse=False,
    ),
    _Rule(
        "too_quiet",
        lambda report: -200.0 if report.loudness_lufs is None else report.loudness_lufs,
        QUIETEST_LUFS,
        QUIET_LUFS,
        "it is too quiet ({loudness}); record it again at a higher input level",
        higher_is_worse=False,
    ),
    _Rule(
        "stopped_early",
        lambda report: float(report.stopped_early),
        None,
        0.5,
        "it is longer than what is analysed; only the first {report.decoded_seconds:.0f} s are used",
    ),
)


def judge(reports: Sequence[QualityReport]) -> Verdict:
    """Decide on all files of a voice together; each has to be good, and together they have to be enough."""
    reasons = list(_of_all(reports))
    warnings: list[Finding] = []
    speech = sum(report.speech_seconds for report in reports)
    if LEAST_SPEECH_SECONDS <= speech < LITTLE_SPEECH_SECONDS:
        warnings.append(
            Finding(
                "little_speech",
                f"{tenths(speech)} s of speech are enough, {LITTLE_SPEECH_SECONDS:.0f} s or more match better",
            )
        )
    for number, report in enumerate(reports):
        for rule in _RULES:
            if rule.broken(report, rule.worst):
                reasons.append(_finding(rule, report, number, len(reports)))
            elif rule.broken(report, rule.weak):
                warnings.append(_finding(rule, report, number, len(reports)))
    return Verdict(tuple(reasons), tuple(warnings))


def _of_all(reports: Sequence[QualityReport]) -> Iterator[Finding]:
    size = sum(report.size_bytes for report in reports)
    if size > MOST_BYTES:
        yield Finding(
            "too_large",
            f"{math.ceil(size / 2**20 * 10) / 10:.1f} MB in all; at most {MOST_BYTES // 2**20} MB are taken",
        )
    speech = sum(report.speech_seconds for report in reports)
    if speech < LEAST_SPEECH_SECONDS:
        yield Finding(
            "too_little_speech", f"{tenths(speech)} s of speech; at least {LEAST_SPEECH_SECONDS:.0f} s are needed"
        )


def _finding(rule: _Rule, report: QualityReport, number: int, files: int) -> Finding:
    message = rule.message.format(
        report=report,
        clipped=math.floor(report.clipped_share * 1000) / 10,
        speech=math.floor(report.speech_share * 100),
        loudness="silence" if report.loudness_lufs is None else f"{report.loudness_lufs:.0f} LUFS",
    )
    return Finding(rule.code, f"file {number + 1}: {message}" if files > 1 else message, number)


def tenths(seconds: float) -> str:
    """`seconds` rounded down, so that 9.99 never reads as the 10 that are asked for."""
    return f"{math.floor(seconds * 10) / 10:.1f}"
