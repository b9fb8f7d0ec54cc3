"""Secrets are in no report, wherever they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from attrs import fields

from adapters.report.facts import PLATFORM, facts_of
from adapters.report.making import document
from adapters.report.masking import masked
from adapters.report.page import html
from docs.reference import BY_CODE, SECTIONS
from tests import stories

VARIABLES = Path(__file__).parents[2].joinpath("docs", "variables.md").read_text()

CANARY = "c4n4ry-in-a-c0al-mine"
SECRETS = {
    "RESULT_URL": f"http://user:{CANARY}@backend:8000/results/3?token={CANARY}",
    "SCHEMA_REGISTRY_URL": f"http://a:{CANARY}@one:80,http://b:{CANARY}@two:80/x",
    "SCHEMA_REGISTRY_AUTH": f"user:{CANARY}",
    "LIBRDKAFKA_SASL_PASSWORD": CANARY,
    "LIBRDKAFKA_SASL_USERNAME": CANARY,
    "LIBRDKAFKA_SSL_KEY_PASSWORD": CANARY,
    "LIBRDKAFKA_SSL_KEY_PEM": f"-----BEGIN-----\n{CANARY}\n-----END-----",
    "LIBRDKAFKA_SASL_JAAS_CONFIG": f'password="{CANARY}";',
    "LIBRDKAFKA_SASL_OAUTHBEARER_CLIENT_SECRET": CANARY,
    "STREAMFIT_PLUGIN_TOKEN": CANARY,
    "STREAMFIT_PLUGIN_CREDENTIALS": CANARY,
    "HTTP_PROXY": f"http://user:{CANARY}@proxy:3128",
    "AWS_SECRET_ACCESS_KEY": CANARY,
    "DATABASE": CANARY,
}


@pytest.mark.parametrize("name", SECRETS)
def test_canary(name):
    """A secret is in neither file, be it that an error quotes it."""
    facts = facts_of({"DEPLOYMENT_ID": "7", name: SECRETS[name]})
    reason = f"{SECRETS[name]}: refused"
    if name == "DATABASE":  # not ours, and nothing tells that it is secret
        reason = ""
    report = document(stories.failed(reason), facts)

    assert CANARY not in report.json()
    assert CANARY not in html(report)


def test_shown():
    """What is no secret is shown as it is; of an address its place."""
    environ = {
        "BATCH": "32",
        "KWARGS_FIT": '{"epochs": 3, "callbacks": "a@b"}',
        "BOOTSTRAP_SERVERS": "one:9092,two:9092",
        "LIBRDKAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "RESULT_URL": "https://me:pass@backend:8000/results/3?a=b#c",
        "LIBRDKAFKA_SASL_PASSWORD": "",
        "PATH": "/bin",
    }

    assert {
        "BATCH": "32",
        "KWARGS_FIT": '{"epochs": 3, "callbacks": "a@b"}',
        "BOOTSTRAP_SERVERS": "one:9092,two:9092",
        "LIBRDKAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "RESULT_URL": "https://***@backend:8000/results/3?***",
    } == facts_of(environ).settings


def test_several_addresses():
    """A list of addresses, in either notation, loses every password."""
    for text in (
        "http://a:b@one,http://c:d@two/x",
        "['http://a:b@one', 'http://c:d@two']",
    ):
        shown = masked("RESULT_URL", text)
        assert 2 == shown.count("://***@")
        assert not re.search(r"a:b|c:d", shown)


def test_every_secret_setting():
    """What a settings class does not show of itself is masked everywhere else, too."""
    kept = [
        f.name.upper()
        for section in SECTIONS
        for cls in section.classes
        for f in fields(cls)
        if not f.repr and f.name not in BY_CODE
    ]
    assert {"SCHEMA_REGISTRY_AUTH", "OTEL_EXPORTER_OTLP_HEADERS"} <= set(kept)

    for name in kept:
        told = f"api-key={CANARY}" if "HEADERS" in name else f"user:{CANARY}"
        if name in {"STREAMFIT_PUSHGATEWAY", "MLFLOW_TRACKING_URI"}:
            told = f"http://{told}@host"
        facts = facts_of({name: told})

        assert CANARY not in facts.settings[name]
        if not name.endswith("_FILE"):  # which holds it, and whose name is none
            assert CANARY not in facts.hide(f"no answer from {told}: {CANARY}")


def test_slash_in_password():
    """A password that was not encoded as addresses want it is hidden, too."""
    assert "http://***@host/x" == masked("RESULT_URL", "http://me:a/b@c@host/x")


def test_settings_are_those_of_the_page():
    """Every variable on the page of variables is shown if it is set."""
    told = re.findall(r"^\| `([A-Z_]+)` \|", VARIABLES, re.MULTILINE)

    shown = facts_of(dict.fromkeys(told, "1")).settings

    assert set(told) - {"NO_COLOR"} == set(shown)
    assert set(PLATFORM) <= set(told)


@pytest.mark.parametrize(
    "said", ["Bearer%20c4n4ry-token", "Bearer c4n4ry-token", "c4n4ry-token"]
)
def test_headers(said):
    """What is in headers is hidden, in whatever spelling it comes back."""
    environ = {
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20c4n4ry-token,a={said}"
    }

    facts = facts_of(environ)

    assert {"***"} == set(facts.settings.values())
    assert "c4n4ry" not in facts.hide(f"refused: {said}")


def test_odd_headers():
    """What is no header is quoted by those who complain of it."""
    facts = facts_of({"OTEL_EXPORTER_OTLP_TRACES_HEADERS": "a=b,c4n4ry-token"})

    assert "malformed: ***" == facts.hide("malformed: c4n4ry-token")


def test_words():
    """What is no secret is not hunted for, however its variable is called."""
    facts = facts_of(
        {
            "LIBRDKAFKA_SASL_KERBEROS_SERVICE_NAME": "kafka",
            "LIBRDKAFKA_SASL_USERNAME": "training",
            "LIBRDKAFKA_SASL_MECHANISMS": "PLAIN",
            "LIBRDKAFKA_ENABLE_SASL_OAUTHBEARER_UNSECURE_JWT": "true",
            "LIBRDKAFKA_SSL_KEY_LOCATION": "/run/secrets/key.pem",
            "LIBRDKAFKA_SASL_PASSWORD_FILE": "/run/secrets/password",
            "SCHEMA_REGISTRY_AUTH": f"reader:{CANARY}",
            "STREAMFIT_PLUGIN_TOKEN": "none",
        }
    )
    text = (
        "kafka:9092: training PLAIN true none reader: no file /run/secrets/key.pem, "
        "/run/secrets/password"
    )

    assert text == facts.hide(text)
    assert "" == facts.hide(CANARY).strip("*")


def test_short_secrets():
    """A password of a letter does not mask every text that has this letter."""
    facts = facts_of({"LIBRDKAFKA_SASL_PASSWORD": "a"})

    assert "brokers away" == facts.hide("brokers away")
    assert {"LIBRDKAFKA_SASL_PASSWORD": "***"} == facts.settings
