"""What the distribution says of itself, for an image that runs the source as it is: `python -m deploy.setup.metadata`.

Writes `antiphon-<version>.dist-info` beside pyproject.toml, where importlib.metadata finds it.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    fields = {"Metadata-Version": "2.1", "Name": project["name"], "Version": project["version"]}
    folder = ROOT / f"{project['name']}-{project['version']}.dist-info"
    folder.mkdir(exist_ok=True)
    text = "".join(f"{name}: {value}\n" for name, value in fields.items())
    (folder / "METADATA").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
