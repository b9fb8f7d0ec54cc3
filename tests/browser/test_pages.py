"""The browser tells what it complains of: or else nothing would be shown by silence."""

from __future__ import annotations

import pytest

from tests.browser.chromium import file_url

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    "content",
    [
        "<script>console.error('here')</script>",
        "<script>nothing.at.all</script>",
        "<img src='missing.png'>",
        """<meta http-equiv="Content-Security-Policy" content="default-src 'none'">
        <style>p { color: red }</style>""",
    ],
)
def test_complaints(content, chrome, tmp_path):
    """Errors of scripts, of the console, of the network and of the policy are seen."""
    path = tmp_path / "page.html"
    path.write_text(f"<!doctype html><title>x</title>{content}<p>text")

    with chrome.page(file_url(path)) as page:
        assert page.errors


def test_requests(chrome, tmp_path):
    """What a page asks for is seen."""
    (tmp_path / "style.css").write_text("p { color: red }")
    path = tmp_path / "page.html"
    path.write_text("<!doctype html><link rel=stylesheet href=style.css><p>text")

    with chrome.page(file_url(path)) as page:
        assert [file_url(tmp_path / "style.css")] == page.requests
