"""Lays out README, changelog and pages for the site's generator, links included."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

LINK = re.compile(r"\[([^\]\[]*)\]\(([^)\s:]+)\)")
"""A link that stays within the sources: one elsewhere has a scheme, and so a colon."""


def pages() -> dict[Path, str]:
    """Return each page's source and its name on the site."""
    found = {ROOT / "README.md": "index.md", ROOT / "CHANGELOG.md": "changelog.md"}
    return found | {path: path.name for path in sorted((ROOT / "docs").glob("*.md"))}


def laid_out(source: Path) -> str:
    """Return the text of a page with links as the site has them."""
    names = pages()

    def link(found: re.Match[str]) -> str:
        text, target = found.groups()
        path, hash_, anchor = target.partition("#")
        if not path:
            return found[0]
        name = names.get((source.parent / path).resolve())
        # The site has no sources: what leads there is a name.
        return text if name is None else f"[{text}]({name}{hash_}{anchor})"

    return LINK.sub(link, source.read_text(encoding="utf-8"))


def lay_out(folder: Path) -> None:
    """Write all pages into *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob("*.md"):
        left.unlink()
    style = ROOT / "docs" / "site.css"
    folder.joinpath(style.name).write_text(style.read_text(encoding="utf-8"))
    for source, name in pages().items():
        folder.joinpath(name).write_text(laid_out(source), encoding="utf-8")


if __name__ == "__main__":
    lay_out(Path(sys.argv[1]))
