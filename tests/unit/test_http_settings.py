from __future__ import annotations

import cattrs
import pytest

from adapters.http import HttpChainSettings, HttpSettings

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
    with pytest.raises(ValueError, match="it is a list: lists of sub-models"):
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


class TestChain:
    URLS = ("http://backend:8000/results/8", "http://backend:8000/results/9")

    def test_as_the_platform_writes_it(self):
        """A list in Python's notation, with single quotes."""
        text = "['http://backend:8000/results/8', 'http://backend:8000/results/9']"

        settings = HttpChainSettings(text, streamfit_http_attempts=3)

        assert self.URLS == settings.result_url
        assert settings == HttpChainSettings(self.URLS, streamfit_http_attempts=3)
        assert settings.each == tuple(
            HttpSettings(url, streamfit_http_attempts=3) for url in self.URLS
        )

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("http://backend/results/8", "a Python list of URLs, one for each sub-mo"),
            ("['http://backend/results/8', ", "it is no list that can be read"),
            ("[__import__('os').getcwd(), 'x']", "it is no list that can be read"),
            ("[" * 5000, "it is no list that can be read"),
            ("['http://backend/results/8', 9]", "it holds what is no text"),
            ("[]", "want a list of two URLs or more, got 0"),
            ("['http://backend/results/8']", "want a list of two URLs or more, got 1"),
            ("['http://b/results/8', 'ftp://b/9']", "number 2 of the list: want an h"),
            ("['http://b/r', 'http://c/r', 'http://b/r']", "numbers 1 and 3 of the l"),
        ],
    )
    def test_refused(self, text, reason):
        """What is no list of URLs is refused in words."""
        with pytest.raises(ValueError, match=reason):
            HttpChainSettings(text)

    def test_passwords(self):
        """No password gets into a message, wherever in the list it is."""
        urls = [f"http://user:{secret}@b/{secret}" for secret in ("one", "two")]
        settings = HttpChainSettings(str(urls))

        assert "one@" not in repr(settings)
        assert "two@" not in repr(settings)
        for text in (str([*urls, urls[0]]), str([*urls, "ftp://x:three@y"])):
            with pytest.raises(ValueError, match="list") as reason:
                HttpChainSettings(text)
            assert "one" not in str(reason.value).replace("want one", "")
            assert "three" not in str(reason.value)
