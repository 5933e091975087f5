"""Aligns one recording with its text. Run by `services.voice.adapters.aligning`.

    python -m services.voice.adapters.aligning_process

The answer's bytes are the starts of all characters and then their ends, as doubles.
"""

from __future__ import annotations

import array

from libs.speech.espeak_fitting import carried_over
from libs.speech.languages import profile_for_language
from libs.speech.text.detection import detect_language
from services.voice.adapters.engine_request import receive
from services.voice.domain import DEFAULT_LANGUAGE


def main() -> None:
    """Answer one request."""
    request = receive()
    text = request.header["text"]
    # Before the limits: the model that tells languages apart is unpacked into a file.
    language = request.header["language"] or detect_language(text).language or DEFAULT_LANGUAGE
    voice = profile_for_language(language)
    request.limit()
    starts, ends, agreement = carried_over(
        request.espeak,
        text,
        request.body,
        voice=voice.engine_voice,
        language=voice.language,
        sample_rate=request.header["sample_rate"],
    )
    times = array.array("d", [*starts, *ends])
    request.answer({"agreement": agreement, "language": language}, times.tobytes())


if __name__ == "__main__":
    main()
