"""What a voice is, what it may be called, and what its recordings must be."""

from __future__ import annotations

from services.voice.domain.errors import AudioNotFound as AudioNotFound
from services.voice.domain.errors import LanguageNotSpoken as LanguageNotSpoken
from services.voice.domain.errors import LastSample as LastSample
from services.voice.domain.errors import QuotaExceeded as QuotaExceeded
from services.voice.domain.errors import RecordingTooLarge as RecordingTooLarge
from services.voice.domain.errors import SameRecordingTwice as SameRecordingTwice
from services.voice.domain.errors import SampleNeeded as SampleNeeded
from services.voice.domain.errors import SampleNotFound as SampleNotFound
from services.voice.domain.errors import SystemVoiceKept as SystemVoiceKept
from services.voice.domain.errors import VoiceNameTaken as VoiceNameTaken
from services.voice.domain.errors import VoiceNotFound as VoiceNotFound
from services.voice.domain.naming import language_tag as language_tag
from services.voice.domain.naming import plain_text as plain_text
from services.voice.domain.recordings import Heard as Heard
from services.voice.domain.recordings import Matched as Matched
from services.voice.domain.recordings import MatchingFailed as MatchingFailed
from services.voice.domain.recordings import Reference as Reference
from services.voice.domain.recordings import Sample as Sample
from services.voice.domain.voices import DEFAULT_LANGUAGE as DEFAULT_LANGUAGE
from services.voice.domain.voices import DESCRIPTION_MAX_LENGTH as DESCRIPTION_MAX_LENGTH
from services.voice.domain.voices import NAME_MAX_LENGTH as NAME_MAX_LENGTH
from services.voice.domain.voices import RECORDING_MAX_BYTES as RECORDING_MAX_BYTES
from services.voice.domain.voices import RECORDINGS_MOST as RECORDINGS_MOST
from services.voice.domain.voices import USUAL_SETTINGS as USUAL_SETTINGS
from services.voice.domain.voices import Category as Category
from services.voice.domain.voices import NewVoice as NewVoice
from services.voice.domain.voices import Status as Status
from services.voice.domain.voices import Variant as Variant
from services.voice.domain.voices import Voice as Voice
from services.voice.domain.voices import custom_voice as custom_voice
from services.voice.domain.voices import fingerprint as fingerprint
from services.voice.domain.voices import object_key as object_key
from services.voice.domain.voices import speaking_settings as speaking_settings
from services.voice.domain.voices import system_voice as system_voice
