"""Forced alignment on signals made up here: what it promises whatever the audio holds."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from libs.speech.forced import LEAST_AGREEMENT
from libs.speech.forced.aligner import carry_over
from libs.speech.forced.features import features
from libs.speech.forced.pauses import Pauses
from libs.speech.forced.warp import warp

RATE = 16000
Samples = NDArray[np.float32]


def syllables(seconds: list[float], *, pitch: float = 120.0, rate: int = RATE, seed: int = 3) -> Samples:
    """Pulses through two resonances that are others in every syllable, drawn from the seed."""
    generator = np.random.default_rng(seed)
    parts = []
    for length in seconds:
        time = np.arange(round(length * rate)) / rate
        resonances = generator.uniform(300, 900), generator.uniform(1200, 3000)
        tones = np.arange(pitch, 7000, pitch)
        weights = sum(1 / (1 + ((tones - resonance) / 120) ** 2) for resonance in resonances)
        swell = np.sin(np.pi * np.clip(time / length, 0, 1)) ** 0.5
        parts.append(swell * (np.sin(2 * np.pi * tones * time[:, None]) @ np.asarray(weights)) * 0.05)
    return np.concatenate(parts).astype(np.float32)


def silence(seconds: float, rate: int = RATE) -> Samples:
    return np.zeros(round(seconds * rate), np.float32)


LENGTHS = [0.2, 0.15, 0.3, 0.25, 0.18, 0.22, 0.3, 0.16, 0.27, 0.2]
EDGES = np.concatenate(([0.0], np.cumsum(LENGTHS)))
STARTS, ENDS = EDGES[:-1].tolist(), EDGES[1:].tolist()
UNRELATED = {
    "nothing": np.zeros(0, np.float32),
    "one sample": np.ones(1, np.float32),
    "silence": silence(1.0),
    "constant": np.full(RATE, 0.5, np.float32),
    "noise": np.random.default_rng(1).normal(0, 0.1, 3 * RATE).astype(np.float32),
    "other speech": syllables([0.1] * 70, seed=99),
    "click": np.concatenate((silence(0.7), np.ones(5, np.float32), silence(0.2))),
    "not numbers": np.full(RATE, np.nan, np.float32),
    "infinite": np.full(RATE, np.inf, np.float32),
    "huge": np.random.default_rng(1).normal(0, 1e30, RATE).astype(np.float32),
    "much shorter": syllables([0.05]),
    "much longer": syllables([2.0] * 15),
}


@pytest.mark.parametrize("audio", UNRELATED.values(), ids=UNRELATED.keys())
@pytest.mark.parametrize("swapped", [False, True], ids=["unknown", "reference"])
def test_times_never_decrease_and_lie_inside_whatever_the_audio_holds(audio: Samples, swapped: bool) -> None:
    speech = syllables(LENGTHS)
    known, unknown = (audio, speech) if swapped else (speech, audio)

    carried = carry_over(known, RATE, STARTS, ENDS, unknown, RATE)

    duration = len(unknown) / RATE
    assert len(carried.starts) == len(carried.ends) == len(STARTS)
    for times in (carried.starts, carried.ends):
        assert times == sorted(times)
        assert all(0 <= time <= duration for time in times)
    assert all(start <= end for start, end in zip(carried.starts, carried.ends, strict=True))


def test_the_same_recording_keeps_its_times() -> None:
    speech = syllables(LENGTHS)
    carried = carry_over(speech, RATE, STARTS, ENDS, speech, RATE)
    assert carried.starts == pytest.approx(STARTS, abs=0.005)
    assert carried.agreement > 0.99


def test_other_lengths_pitch_rate_and_silence_around_are_followed() -> None:
    factors = [0.8, 1.4, 1.0, 0.7, 1.3, 1.2, 0.8, 1.5, 1.0, 0.9]
    lengths = [length * factor for length, factor in zip(LENGTHS, factors, strict=True)]
    spoken = syllables(lengths, pitch=190, rate=24000)
    audio = np.concatenate((silence(1.2, 24000), spoken, silence(2.5, 24000)))

    carried = carry_over(syllables(LENGTHS), RATE, STARTS, ENDS, audio, 24000)

    truth = 1.2 + np.concatenate(([0.0], np.cumsum(lengths)))[:-1]
    assert np.median(np.abs(carried.starts - truth)) < 0.015
    assert np.abs(carried.starts - truth).max() < 0.05


def test_a_pause_that_only_one_voice_makes_belongs_to_neither_word() -> None:
    speech = syllables(LENGTHS)
    cut = round(EDGES[4] * RATE)
    audio = np.concatenate((speech[:cut], silence(0.6), speech[cut:]))

    carried = carry_over(speech, RATE, STARTS, ENDS, audio, RATE)

    assert carried.ends[3] == pytest.approx(EDGES[4], abs=0.04)
    assert carried.starts[4] == pytest.approx(EDGES[4] + 0.6, abs=0.04)


def test_agreement_tells_the_same_text_from_another() -> None:
    speech = syllables(LENGTHS)
    matching = carry_over(speech, RATE, STARTS, ENDS, syllables(LENGTHS, pitch=180), RATE)
    other = carry_over(speech, RATE, STARTS, ENDS, syllables(LENGTHS, pitch=180, seed=8), RATE)
    assert other.agreement < LEAST_AGREEMENT < matching.agreement


def test_a_text_without_characters_has_no_times() -> None:
    assert carry_over(syllables(LENGTHS), RATE, [], [], syllables(LENGTHS), RATE)[:2] == ([], [])


def test_as_many_ends_as_starts_are_needed() -> None:
    with pytest.raises(ValueError, match="2 starts but 1 ends"):
        carry_over(silence(1), RATE, [0.0, 0.5], [0.5], silence(1), RATE)


def test_more_than_one_channel_is_refused() -> None:
    with pytest.raises(ValueError, match="one channel"):
        features(np.zeros((100, 2), np.float32), RATE)


def test_features_hardly_know_loudness_and_sample_format() -> None:
    speech = syllables(LENGTHS)
    quiet = (speech / 8 * 32767).astype(np.int16)
    assert np.abs(features(speech, RATE) - features(quiet, RATE)).mean() < 0.1


def test_a_path_advances_by_at_most_one_frame_in_each_recording() -> None:
    generator = np.random.default_rng(5)
    path = warp(generator.normal(size=(700, 8)).astype(np.float32), generator.normal(size=(150, 8)).astype(np.float32))
    steps = np.stack((np.diff(path.reference), np.diff(path.other)))
    assert ((steps == 0) | (steps == 1)).all()
    assert steps.any(axis=0).all()
    assert (path.reference[0], path.other[0], path.reference[-1], path.other[-1]) == (0, 0, 699, 149)


def test_memory_grows_with_length_and_not_with_its_square() -> None:
    """60 s of frames; all pairs of them would be 144 million."""
    frames = np.random.default_rng(5).normal(size=(12000, 4)).astype(np.float32)
    tracemalloc.start()
    warp(frames, frames)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 << 20


@pytest.mark.parametrize("offset", [0.0, 0.1])
def test_pauses_are_heard_through_noise_and_an_offset(offset: float) -> None:
    noise = offset + np.random.default_rng(2).normal(0, 0.004, round(2.2 * RATE)).astype(np.float32)
    audio = np.concatenate((silence(0.5), syllables([0.4]), silence(0.3), syllables([0.4]), silence(0.6))) + noise
    pauses = Pauses.of(audio, RATE, shortest_seconds=0.06)
    assert [edge for kept in pauses.kept(0.0) for edge in kept] == pytest.approx([0.5, 0.9, 1.2, 1.6], abs=0.03)
    assert pauses.until_sound(np.array([1.0])) == pytest.approx([0.2], abs=0.03)
    assert pauses.since_sound(np.array([1.0])) == pytest.approx([0.1], abs=0.03)
    assert pauses.until_sound(np.array([0.7])) == pytest.approx([0.0])
