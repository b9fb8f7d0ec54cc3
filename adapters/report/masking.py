"""Secrets, kept out of what others read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote

MASK = "***"

_SECRET = re.compile(
    r"PASSWORD|PASSPHRASE|PASSWD|SECRET|TOKEN|KEY|AUTH|CREDENTIAL|JAAS|SASL|PEM|HEADERS"
)
"""What variables are called whose values are nobody's business."""

_HUNTED = re.compile(
    r"PASSWORD|PASSPHRASE|PASSWD|SECRET|TOKEN|KEY|AUTH(?!BEARER)|CREDENTIAL|JAAS|PEM"
    r"|HEADERS"
)
_TOLD = re.compile(r"_(LOCATION|FILE|PATH|DIR|CA|SOCK|URL|URI|HOST|PORT|TYPE|ID)$")
"""Of these, what is a secret wherever it stands, and what is none: a user called
``kafka`` is no reason to hide that word."""

_LOGIN = re.compile(r"(?<=://)[^\s,'\"\]]*(?=@)")
"""User and password in an address; rather a part of the path, too, than too little."""

_QUERY = re.compile(r"(?<=[?#])[^\s,'\"\]]+")

_HEADERS = re.compile(r"HEADERS$")

_WORDS = {"true", "false", "none", "null"}
"""Values that say nothing."""

_SHORTEST = 4
"""Characters: shorter ones would be found in any text."""


def masked(name: str, value: str) -> str:
    """Return what may be shown of the variable *name*."""
    if not value:
        return value
    return MASK if _SECRET.search(name) else without_login(value)


def without_login(text: str) -> str:
    """Return *text* without what addresses in it may bring: user, password, query."""
    if "://" not in text:
        return text
    return _QUERY.sub(MASK, _LOGIN.sub(MASK, text))


def secrets(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return what must not be seen anywhere, the longest first."""
    found = set[str]()
    for name, value in environ.items():
        if _HUNTED.search(name) and not _TOLD.search(name):
            found.update((value.strip(), value.strip().partition(":")[2]))
        if name.endswith("USERNAME") and not value.strip().isalpha():
            found.add(value.strip())  # a key, as clouds have them; no word of ours
        if _HEADERS.search(name):
            found.update(_values(value))
        for login in _LOGIN.findall(value):
            found.update((login, login.rpartition(":")[2]))
        if "://" in value:
            found.update(_QUERY.findall(value))
    told = (s for s in found if len(s) >= _SHORTEST and s.lower() not in _WORDS)
    return tuple(sorted(told, key=len, reverse=True))


def _values(headers: str) -> Iterator[str]:
    """Yield what stands in *headers*, as ``name=value,...``, in every spelling."""
    for header in headers.split(","):
        value = (header.partition("=")[2] or header).strip()
        for spelling in (value, unquote(value)):
            yield from (spelling, spelling.rpartition(" ")[2])  # without its scheme


def hidden(text: str, known: Iterable[str]) -> str:
    """Return *text* without any of the *known* secrets."""
    text = without_login(text)
    for secret in known:
        text = text.replace(secret, MASK)
    return text
