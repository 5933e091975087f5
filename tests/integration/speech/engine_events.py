"""What eSpeak NG itself says of a text: the words that it begins, each with its place and its sample.

python -m tests.integration.speech.engine_events

A process of its own, since the engine is not to be loaded in a test's. Reads JSON lines of [voice, text, seed,
goes_on], writes JSON lines of [[place, length, sample], ...]. Speaks at the usual rate, as a text.
"""

from __future__ import annotations

import json
import sys

from libs.speech.espeak_native import DEFAULT_RATE, LONGEST_SECONDS, Espeak


def _unheard(_pcm: bytes) -> None:
    pass


def main() -> None:
    for line in sys.stdin:
        voice, text, seed, goes_on = json.loads(line)
        espeak = Espeak(seed)
        espeak.set_voice(voice, None, "en-US")
        espeak.set_parameters(rate=DEFAULT_RATE, pitch=None, pitch_range=None, volume=None, word_gap=None)
        words, _, _ = espeak.speak(text, _unheard, most_samples=espeak.sample_rate * LONGEST_SECONDS, goes_on=goes_on)
        espeak.close()
        sys.stdout.write(json.dumps(words) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
