"""Schemas by their id, from a registry that answers over HTTP."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from adapters.kafka import SchemaRegistry, SchemaRegistrySettings
from bootstrap.settings import load
from domain.errors import DeploymentInvalid, SettingsInvalid, Unavailable

SCHEMA = '{"type": "record", "name": "r", "fields": [{"name": "a", "type": "int"}]}'
CANARY = "hunter2-canary"


def registry(url: str, **variables: str) -> SchemaRegistry:
    environ = {
        "SCHEMA_REGISTRY_URL": url,
        "STREAMFIT_REGISTRY_RETRIES": "1",
        "STREAMFIT_REGISTRY_TIMEOUT": "2",
    }
    return SchemaRegistry(load(SchemaRegistrySettings, {**environ, **variables}))


def serve(httpserver: HTTPServer, schema_id: int, **answer: str) -> None:
    path = f"/schemas/ids/{schema_id}"
    httpserver.expect_request(path).respond_with_json({"schema": SCHEMA, **answer})


def test_schema(httpserver: HTTPServer) -> None:
    """A schema comes as it was registered, and is asked for once."""
    serve(httpserver, 7)
    schemas = registry(httpserver.url_for("/"))

    assert [SCHEMA] * 2 == [schemas(7), schemas(7)]
    assert 1 == len(httpserver.log)


@pytest.mark.parametrize("variable", ["AUTH", "AUTH_FILE"])
def test_password(httpserver: HTTPServer, tmp_path: Path, variable: str) -> None:
    """Who is to show a password does, be it in a variable or in a file."""
    serve(httpserver, 7)
    pair = f"me:{CANARY}"
    (tmp_path / "auth").write_text(f"{pair}\n")
    given = {"AUTH": pair, "AUTH_FILE": str(tmp_path / "auth")}[variable]

    schemas = registry(
        httpserver.url_for("/"), **{f"SCHEMA_REGISTRY_{variable}": given}
    )
    schemas(7)

    assert CANARY not in repr(schemas)

    request, _ = httpserver.log[0]
    assert request.authorization is not None
    assert ("me", CANARY) == (
        request.authorization.username,
        request.authorization.password,
    )


def test_several(httpserver: HTTPServer) -> None:
    """If one registry is away, the next one is asked."""
    serve(httpserver, 7)
    with socket.create_server(("127.0.0.1", 0)) as server:
        away = f"http://127.0.0.1:{server.getsockname()[1]}"

    assert SCHEMA == registry(f"{away},{httpserver.url_for('/')}")(7)


def test_unknown(httpserver: HTTPServer) -> None:
    """An id that the registry does not have is the record's fault."""
    httpserver.expect_request("/schemas/ids/8").respond_with_json(
        {"error_code": 40403, "message": "Schema not found"}, status=404
    )

    with pytest.raises(LookupError):
        registry(httpserver.url_for("/"))(8)


def test_other_kind(httpserver: HTTPServer) -> None:
    """A schema of another serialisation is none."""
    serve(httpserver, 7, schemaType="PROTOBUF")

    with pytest.raises(LookupError):
        registry(httpserver.url_for("/"))(7)


@pytest.mark.parametrize("status", [400, 401, 403])
def test_refused(httpserver: HTTPServer, status: int) -> None:
    """A registry that refuses us is no matter of time; no secret is told."""
    httpserver.expect_request("/schemas/ids/7").respond_with_json(
        {"error_code": status, "message": "no"}, status=status
    )
    schemas = registry(httpserver.url_for("/"), SCHEMA_REGISTRY_AUTH=f"me:{CANARY}")

    with pytest.raises(DeploymentInvalid, match=f"schema 7: HTTP status {status}") as e:
        schemas(7)
    assert CANARY not in str(e.value)
    assert CANARY not in repr(schemas)


@pytest.mark.parametrize("status", [429, 503])
def test_later(httpserver: HTTPServer, status: int) -> None:
    """One that cannot answer now may do so after a restart."""
    httpserver.expect_request("/schemas/ids/7").respond_with_json(
        {"error_code": status, "message": "later"}, status=status
    )

    with pytest.raises(Unavailable, match=f"schema 7: HTTP status {status}"):
        registry(httpserver.url_for("/"))(7)
    assert 2 == len(httpserver.log)


def test_not_json(httpserver: HTTPServer) -> None:
    """A page of something in between is no schema."""
    httpserver.expect_request("/schemas/ids/7").respond_with_data("<html>")

    with pytest.raises(Unavailable, match="schema 7"):
        registry(httpserver.url_for("/"))(7)


def test_away() -> None:
    """A registry that does not listen is away."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"

    with pytest.raises(Unavailable, match="schema 7"):
        registry(url)(7)


@pytest.mark.parametrize(
    ("variables", "fault"),
    [
        ({"SCHEMA_REGISTRY_URL": "registry:8081"}, "want http:// or https://"),
        ({"SCHEMA_REGISTRY_URL": f"http://me:{CANARY}@r"}, "SCHEMA_REGISTRY_AUTH"),
        ({"SCHEMA_REGISTRY_AUTH": CANARY}, "want user:password"),
        ({"SCHEMA_REGISTRY_AUTH_FILE": "/nowhere"}, "/nowhere: No such file"),
        ({"SCHEMA_REGISTRY_AUTH_FILE": "/dev/null"}, "want user:password"),
        ({"SCHEMA_REGISTRY_CA": "/nowhere/ca.pem"}, "no file '/nowhere/ca.pem'"),
        ({"STREAMFIT_REGISTRY_TIMEOUT": "0"}, "STREAMFIT_REGISTRY_TIMEOUT"),
        ({"STREAMFIT_REGISTRY_RETRIES": "-1"}, "STREAMFIT_REGISTRY_RETRIES"),
    ],
)
def test_settings(variables: dict[str, str], fault: str) -> None:
    """What cannot be is refused by name, and no secret is told."""
    with pytest.raises(SettingsInvalid, match=fault) as error:
        load(SchemaRegistrySettings, variables)

    assert CANARY not in str(error.value)
