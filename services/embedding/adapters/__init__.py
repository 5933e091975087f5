"""What turns text into vectors. Nothing heavy is imported before a model is opened."""

from __future__ import annotations

from services.embedding.adapters.embedder import Embedder as Embedder
from services.embedding.adapters.embedder import Vectors as Vectors
from services.embedding.adapters.gathering import Gathering as Gathering
from services.embedding.adapters.minilm import MiniLm as MiniLm
from services.embedding.adapters.pdf import PdfReading as PdfReading
from services.embedding.adapters.questions import Questions as Questions
