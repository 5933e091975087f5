"""What clients can do with voices, and what is done with what they send."""

from __future__ import annotations

from services.voice.usecases.deps import Deps as Deps
from services.voice.usecases.deps import Workshop as Workshop
from services.voice.usecases.examining import examine_voice as examine_voice
from services.voice.usecases.examining import give_up as give_up
from services.voice.usecases.making import create_voice as create_voice
from services.voice.usecases.making import delete_sample as delete_sample
from services.voice.usecases.making import delete_voice as delete_voice
from services.voice.usecases.making import update_voice as update_voice
from services.voice.usecases.seeding import seed_system_voices as seed_system_voices
