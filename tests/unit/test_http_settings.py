from __future__ import annotations

import cattrs
import pytest

from adapters.http import HttpSettings

URL = "http://backend:8000/results/3"


def test_from_the_environment():
    """Settings are filled from texts, by the variables' names in lower case."""
    converter = cattrs.Converter(prefer_attrib_converters=True)

    settings = converter.structure(
        {
            "result_url": URL,
            "streamfit_http_attempts": "3",
            "streamfit_http_total_timeout": "1.5",
        },
        HttpSettings,
    )

    assert (
        HttpSettings(
            URL,
            streamfit_http_attempts=3,
            streamfit_http_total_timeout=1.5,
        )
        == settings
    )


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/results/3",
        "backend:8000/results/3",
        "ftp://backend/results/3",
        "file:///etc/passwd",
        "file://backend/results/3",
        "data:application/model,x",
        "http:///results/3",
        "http://backend:port/results/3",
        "http://backend/results/3\n",
    ],
)
def test_url_refused(url):
    """Only http and https are spoken, and only to a host."""
    with pytest.raises(ValueError, match="URL"):
        HttpSettings(url)


def test_list_of_urls_refused():
    """A chain of sub-models is named as such."""
    with pytest.raises(ValueError, match="CASE 3, 4, 7, 8, which this version does"):
        HttpSettings("['http://backend/results/8', 'http://backend/results/9']")


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize(
    "name",
    [
        "streamfit_http_connect_timeout",
        "streamfit_http_read_timeout",
        "streamfit_http_total_timeout",
    ],
)
def test_timeout_refused(name, value):
    """Nothing may wait for ever, or not at all."""
    with pytest.raises(ValueError, match="want a number of seconds"):
        HttpSettings(URL, **{name: value})


@pytest.mark.parametrize(
    "name", ["streamfit_http_attempts", "streamfit_max_model_bytes"]
)
def test_nothing_refused(name):
    """There is at least one attempt, and a model has at least one byte."""
    with pytest.raises(ValueError, match="want at least 1"):
        HttpSettings(URL, **{name: 0})


@pytest.mark.parametrize(
    ("url", "place"),
    [
        (URL, URL),
        ("https://me:canary@host:1/results/3", "https://***@host:1/results/3"),
        ("https://canary@host/results/3", "https://***@host/results/3"),
        ("https://a:can@ry@host/results/3", "https://***@host/results/3"),
        ("http://host/results/3?token=canary#x", "http://host/results/3?***"),
    ],
)
def test_secrets_are_masked(url, place):
    """Neither messages nor representations give away who asks."""
    settings = HttpSettings(url)

    assert place == settings.place
    assert "canary" not in repr(settings)


def test_secrets_stay_out_of_errors():
    """A URL that is refused is not repeated."""
    with pytest.raises(ValueError, match="URL") as refusal:
        HttpSettings("http://me:can#ary@host/results/3")

    assert "can" not in str(refusal.value).replace("cannot", "")
