from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from libs.speech.timbre.frames import BAND_HZ, BANDS
from libs.speech.timbre.profile import measure, pitch_error_semitones, spectral_difference_db
from libs.speech.timbre.transform import Pcm, Transform, apply

RATE = 22050
TILT = tuple(np.linspace(-6.0, 6.0, BANDS).tolist())
EACH = [
    pytest.param(Transform(pitch_shift_semitones=3.0, pitch_pivot_hz=120.0), id="pitch"),
    pytest.param(Transform(pitch_scale=1.5, pitch_pivot_hz=120.0), id="melody"),
    pytest.param(Transform(envelope_warp=1.15, pitch_pivot_hz=120.0), id="warp"),
    pytest.param(Transform(transfer_db=TILT), id="transfer"),
    pytest.param(Transform(gain_db=24.0), id="gain"),
    pytest.param(Transform(120.0, -4.0, 0.8, 0.9, TILT, 12.0), id="all"),
]


def speech(seconds: float, f0_hz: float = 120.0) -> Pcm:
    """A pulse train through three formants, in syllables with pauses."""
    time = np.arange(int(seconds * RATE)) / RATE
    f0 = f0_hz * 2.0 ** (2.0 * np.sin(2.0 * np.pi * time / 0.9) / 12.0)
    pulses = np.diff(np.floor(np.cumsum(f0 / RATE)), prepend=0.0)
    hertz = np.fft.rfftfreq(2048, 1.0 / RATE)
    response = sum(1.0 / (1.0 + ((hertz - formant) / 80.0) ** 2) for formant in (500.0, 1500.0, 2500.0)) + 1e-3
    sound = np.convolve(pulses, np.fft.fftshift(np.fft.irfft(response)), "same")
    sound *= np.where(time % 2.5 < 2.0, np.sin(np.pi * time / 0.25) ** 2, 0.0)
    return np.asarray(np.rint(0.5 * sound / np.abs(sound).max() * 32767.0).astype(np.int16))


@pytest.mark.parametrize("transform", EACH)
def test_the_length_stays_and_nothing_clips(transform: Transform) -> None:
    pcm = speech(3.0)
    changed = apply(pcm, RATE, transform)
    assert changed.dtype == np.int16
    assert changed.size == pcm.size
    assert not np.array_equal(changed, pcm)
    assert np.abs(changed.astype(int)).max() <= round(0.97 * 32767)


@pytest.mark.parametrize("transform", EACH)
def test_it_gives_the_same_again(transform: Transform) -> None:
    pcm = speech(2.0)
    first = apply(pcm, RATE, transform)
    apply(speech(1.0, 200.0), RATE, transform)
    assert np.array_equal(apply(pcm, RATE, transform), first)


@pytest.mark.parametrize("transform", EACH)
@pytest.mark.parametrize("samples", [0, 1, 100, 1000, 2205, 5000])
def test_short_speech_is_no_trouble(transform: Transform, samples: int) -> None:
    assert apply(speech(3.0)[:samples], RATE, transform).size == samples


@pytest.mark.parametrize("transform", EACH)
def test_silence_stays_silent(transform: Transform) -> None:
    assert np.abs(apply(np.zeros(RATE, dtype=np.int16), RATE, transform).astype(int)).max() <= 1


def test_the_default_changes_nothing() -> None:
    pcm = speech(1.0)
    assert apply(pcm, RATE, Transform()) is pcm


def test_pitch_is_mapped() -> None:
    pcm = speech(5.0)
    before = measure(pcm, RATE)
    after = measure(apply(pcm, RATE, Transform(before.median_f0_hz, 3.0, 1.5)), RATE)
    assert pitch_error_semitones(after, before) == pytest.approx(3.0, abs=0.15)
    assert after.f0_spread_semitones == pytest.approx(1.5 * before.f0_spread_semitones, rel=0.12)


@pytest.mark.parametrize("warp", [0.87, 1.15])
def test_formants_follow_the_warp(warp: float) -> None:
    pcm = speech(5.0)
    at = np.fft.rfftfreq(4096, 1.0 / RATE)

    def second_formant(sound: NDArray[np.int16]) -> float:
        frames = np.lib.stride_tricks.sliding_window_view(sound.astype(float), 4096)[::2048] * np.hanning(4096)
        power = (np.abs(np.fft.rfft(frames)) ** 2).mean(axis=0)
        near = (at > 1500 * warp - 300) & (at < 1500 * warp + 300)
        return float((at[near] * power[near]).sum() / power[near].sum())

    changed = apply(pcm, RATE, Transform(envelope_warp=warp, pitch_pivot_hz=120.0))
    assert second_formant(changed) == pytest.approx(warp * 1500.0, rel=0.03)
    assert abs(pitch_error_semitones(measure(changed, RATE), measure(pcm, RATE))) < 0.1


def test_the_spectrum_follows_the_curve() -> None:
    noise = (np.random.default_rng(5).standard_normal(4 * RATE) * 0.03 * 32767.0).astype(np.int16)
    pcm = np.clip(speech(4.0).astype(int) + noise, -32768, 32767).astype(np.int16)
    changed = measure(apply(pcm, RATE, Transform(transfer_db=TILT)), RATE)
    moved = spectral_difference_db(changed, measure(pcm, RATE))
    wanted = np.array(TILT)
    inner = (BAND_HZ > 200) & (BAND_HZ < 9000)
    assert np.abs((moved - moved[inner].mean()) - (wanted - wanted[inner].mean()))[inner].max() < 1.0


def test_loud_speech_is_turned_down_softly() -> None:
    time = np.arange(RATE) / RATE
    pcm = np.rint(0.9 * 32767.0 * np.sin(2.0 * np.pi * 440.0 * time)).astype(np.int16)
    limited = apply(pcm, RATE, Transform(gain_db=12.0)).astype(float)[2000:-2000]
    spectrum = np.abs(np.fft.rfft(limited * np.hanning(limited.size)))
    peak = int(spectrum.argmax())
    rest = np.delete(spectrum, range(max(0, peak - 8), peak + 9))
    assert 20.0 * np.log10(spectrum[peak] / rest.max()) > 60.0  # clipping would put the third harmonic at some 12 dB


def test_long_speech_is_done_in_pieces_that_do_not_show() -> None:
    pcm = speech(50.0)
    transform = Transform(envelope_warp=1.1, transfer_db=TILT, pitch_pivot_hz=120.0)
    whole = apply(pcm, RATE, transform).astype(float)
    # The same 8 s as a text of their own, away from its ends: cuts lie wherever it was quiet.
    begin, end = 16 * RATE, 24 * RATE
    alone = apply(pcm[begin - RATE : end + RATE], RATE, transform).astype(float)[RATE:-RATE]
    difference = np.sqrt(((whole[begin:end] - alone) ** 2).mean() / (alone**2).mean())
    assert 20.0 * np.log10(difference + 1e-9) < -30.0


@pytest.mark.parametrize("warp", [1.0, 1.1])
def test_a_sound_without_pauses_is_cut_without_a_click(warp: float) -> None:
    period = 50
    phase = 2.0 * np.pi * np.arange(45 * RATE) / period
    steady = np.sin(phase) + 0.5 * np.sin(3.0 * phase)
    pcm = np.rint(8000.0 * steady).astype(np.int16)
    changed = apply(pcm, RATE, Transform(envelope_warp=warp, transfer_db=TILT, pitch_pivot_hz=441.0)).astype(float)
    inner = changed[RATE:-RATE]
    # What repeats each period is the sound; a click does not.
    assert np.abs(inner[period:] - inner[:-period]).max() < 0.02 * np.abs(inner).max()


def test_a_transform_survives_json() -> None:
    transform = Transform(180.0, -4.5, 0.8, 1.1, TILT, -3.0)
    assert Transform.from_dict(json.loads(json.dumps(transform.to_dict()))) == transform
    assert len(json.dumps(transform.to_dict())) < 2048


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"envelope_warp": 3.0}, id="warp"),
        pytest.param({"pitch_scale": 0.0}, id="scale"),
        pytest.param({"pitch_shift_semitones": float("nan")}, id="no number"),
        pytest.param({"pitch_pivot_hz": 0.0}, id="pivot"),
        pytest.param({"gain_db": 100.0}, id="gain"),
        pytest.param({"transfer_db": [0.0]}, id="bands"),
        pytest.param({"transfer_db": [99.0] * BANDS}, id="curve"),
        pytest.param({"colour": 1.0}, id="unknown"),
    ],
)
def test_senseless_transforms_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        Transform.from_dict(replace(Transform()).to_dict() | fields)
