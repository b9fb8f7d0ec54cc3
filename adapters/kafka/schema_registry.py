"""Writers' schemas by their id, from a Confluent Schema Registry."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from attrs import Attribute, field, frozen
from attrs.validators import ge

from domain.errors import DeploymentInvalid, SettingsInvalid, Unavailable

NOT_FOUND = 404
PASSING = {408, 429}
"""Refusals that may pass by themselves, like all from 500 on."""


def _is_url(_: object, __: Attribute[str | None], url: str | None) -> None:
    if url is None:
        return
    if not all(
        part.strip().startswith(("http://", "https://")) for part in url.split(",")
    ):
        raise ValueError("want http:// or https://, several separated by commas")
    if "@" in url:
        raise ValueError("user and password belong into SCHEMA_REGISTRY_AUTH")


def _is_pair(_: object, __: Attribute[str | None], auth: str | None) -> None:
    if auth is not None and not auth.partition(":")[2]:
        raise ValueError("want user:password")  # and never show what it is


def _pair_in(path: str | None) -> str | None:
    """Return what stands in the file *path*, a newline at its end apart."""
    if path is None:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").removesuffix("\n")
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError:  # whose bytes would be in the message
        raise ValueError(f"{path} is not UTF-8") from None


def _is_file(_: object, __: Attribute[str | None], path: str | None) -> None:
    if path is not None and not Path(path).is_file():
        raise ValueError(f"no file {path!r}")


@frozen
class SchemaRegistrySettings:
    """
    Where schemas are.

    Attributes:
        schema_registry_url: The registry, or several of one content, separated by
            commas; None if records are of the request's own schema.

        schema_registry_auth: ``user:password``, if it wants to know.

        schema_registry_auth_file: File that holds the same; it counts if that is not
            set.

        schema_registry_ca: File of the certificate authorities to trust; the usual ones
            if None.

        streamfit_registry_timeout: Seconds that it may take to connect, and to send.

        streamfit_registry_retries: How often it is tried again, with growing pauses.
    """

    schema_registry_url: str | None = field(default=None, validator=_is_url)
    schema_registry_auth: str | None = field(
        default=None, repr=False, validator=_is_pair
    )
    schema_registry_auth_file: str | None = field(
        default=None, repr=False, converter=_pair_in, validator=_is_pair
    )
    schema_registry_ca: str | None = field(default=None, validator=_is_file)
    streamfit_registry_timeout: float = field(default=10.0, validator=ge(0.001))
    streamfit_registry_retries: int = field(default=5, validator=ge(0))


@frozen(slots=False, eq=False)
class SchemaRegistry:
    """
    Returns the text of a schema by its id; who asks twice is answered from memory.

    Attributes:
        settings: Where it is, and how long to wait for it.
    """

    settings: SchemaRegistrySettings

    def __call__(self, schema_id: int) -> str:
        """
        Return the text of an Avro schema.

        Raises:
            LookupError: The registry has none of this id.

            Unavailable: It stayed away.

            DeploymentInvalid: It refuses us.
        """
        client, url = self._client, self.settings.schema_registry_url
        from confluent_kafka.schema_registry.error import SchemaRegistryError

        try:
            schema = client.get_schema(schema_id)
        except SchemaRegistryError as error:
            status = error.http_status_code
            if status == NOT_FOUND:
                raise LookupError(schema_id) from error
            reason = f"{url}: schema {schema_id}: HTTP status {status}"
            if status in PASSING or status >= 500:
                raise Unavailable(reason) from error
            raise DeploymentInvalid(reason) from error
        except Exception as error:  # httpx's, and whatever a foreign body brings about
            reason = f"{url}: schema {schema_id}: {error or type(error).__name__}"
            raise Unavailable(reason) from error
        if schema.schema_str is None or schema.schema_type not in {None, "AVRO"}:
            raise LookupError(schema_id)
        return str(schema.schema_str)

    @cached_property
    def _client(self) -> Any:
        try:
            from confluent_kafka.schema_registry import SchemaRegistryClient
        except ImportError as error:
            raise SettingsInvalid(
                f"SCHEMA_REGISTRY_URL: {error.name} is not installed, "
                "confluent-kafka[schemaregistry] brings it"
            ) from error
        optional = {
            "basic.auth.user.info": self.settings.schema_registry_auth
            or self.settings.schema_registry_auth_file,
            "ssl.ca.location": self.settings.schema_registry_ca,
        }
        try:
            return SchemaRegistryClient(
                {
                    "url": self.settings.schema_registry_url,
                    "timeout": self.settings.streamfit_registry_timeout,
                    "max.retries": self.settings.streamfit_registry_retries,
                    **{key: value for key, value in optional.items() if value},
                }
            )
        except (OSError, TypeError, ValueError) as error:  # OSError: of its file
            raise SettingsInvalid(f"SCHEMA_REGISTRY_...: {error}") from error
