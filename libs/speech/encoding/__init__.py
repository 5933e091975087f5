"""From 16-bit mono PCM to files and streams.

Importing this is cheap and needs no extra; LAME, NumPy and FFmpeg are loaded by whoever encodes with them.
"""

from __future__ import annotations

from libs.speech.encoding.formats import Codec as Codec
from libs.speech.encoding.formats import OutputFormat as OutputFormat
from libs.speech.encoding.formats import output_formats as output_formats
from libs.speech.encoding.formats import parse_output_format as parse_output_format
from libs.speech.encoding.joining import Joiner as Joiner
from libs.speech.encoding.joining import require_possible as require_possible
from libs.speech.encoding.segments import Segment as Segment
from libs.speech.encoding.segments import SegmentEncoder as SegmentEncoder
from libs.speech.encoding.segments import segment_encoder as segment_encoder
from libs.speech.encoding.segments import silence as silence
from libs.speech.encoding.whole import Encoder as Encoder
from libs.speech.encoding.whole import Mp3Encoder as Mp3Encoder
from libs.speech.encoding.whole import WavEncoder as WavEncoder
