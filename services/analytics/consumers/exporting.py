"""Organisations take their data along."""

from __future__ import annotations

from libs.contracts.antiphon.analytics.v1.events_pb2 import DataExported
from libs.outbox.exporting import exports
from services.analytics.usecases.exporting import EXPORTED

export_data = exports("analytics", DataExported, EXPORTED)
