"""Signatures with headers in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from libs.objectstore.signing import presign


def test_the_example_of_the_reference() -> None:
    """Of "Authenticating Requests: Using Query Parameters" in the Amazon S3 API reference."""
    url = presign(
        "GET",
        "https://examplebucket.s3.amazonaws.com",
        "/test.txt",
        access_key="AKIAIOSFODNN7EXAMPLE",
        secret_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        region="us-east-1",
        signed_at=datetime(2013, 5, 24, tzinfo=UTC),
        lifetime=timedelta(days=1),
    )
    assert url.endswith("&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")
    assert "X-Amz-SignedHeaders=host&" in url
