from __future__ import annotations

from fastapi import FastAPI

from services.voice.api import router
from services.voice.domain import Category


def test_the_interface_describes_itself() -> None:
    app = FastAPI()
    app.include_router(router)
    document = app.openapi()  # warns, and so fails, if two operations had one name
    assert set(document["paths"]["/v1/voices/{voice_id}"]) == {"get", "patch", "delete"}
    create = document["paths"]["/v1/voices"]["post"]
    form = create["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["required"] == ["name"]
    assert {"file", "upload_ids"} <= form["properties"].keys()
    assert form["properties"]["name"]["maxLength"] == 100
    assert form["properties"]["category"]["$ref"] == "#/components/schemas/Category"
    assert "unique within an organisation" in create["description"]
    assert set(document["components"]["schemas"]["Category"]["enum"]) == set(Category)
