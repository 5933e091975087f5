"""What a speech worker hears and tells on the broker; its work itself lies in the queue."""

from __future__ import annotations

import sys

from libs.messaging import Heeds, Signals, declared
from services.generation.domain import signals

HEARS_OF_WORK = Heeds(signals.WORK)
HEARS_WHAT_IS_NOT_WANTED = Heeds(signals.STOP)
HEARS_OFFERS = Heeds(signals.OFFER)
HEARS_WHAT_IS_ENTRUSTED = Heeds(signals.ENTRUSTED)
TELLS_WHAT_IS_BEGUN = Signals(signals.BEGUN)
TELLS_OF_WORK = Signals(signals.WORK)
TELLS_OF_PROGRESS = Signals(signals.PROGRESS)
TELLS_FIRST_PIECES = Signals(signals.FIRST)

CONSUMERS = declared("worker", sys.modules[__name__])
