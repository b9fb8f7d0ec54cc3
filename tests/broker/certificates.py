"""A certificate authority to be thrown away, and what it vouches for."""

from __future__ import annotations

from pathlib import Path

import trustme
from attrs import frozen
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)


@frozen
class Certificates:
    """
    Files in PEM.

    Attributes:
        authority: The authority's certificate.

        stranger: The certificate of an authority that vouches for nobody.

        broker: Key and certificate of a broker at 127.0.0.1, which has no name.

        client: Key and certificate of a client.

        foreign_client: The same, from the stranger.
    """

    authority: Path
    stranger: Path
    broker: Path
    client: Path
    foreign_client: Path

    @classmethod
    def make(cls, folder: Path) -> Certificates:
        """Write them to *folder*."""
        made = cls(
            *(folder / f"{name}.pem" for name in ("authority", "stranger")),
            *(folder / f"{name}.pem" for name in ("broker", "client", "foreign")),
        )
        authority, stranger = trustme.CA(), trustme.CA()
        authority.cert_pem.write_to_path(made.authority)
        stranger.cert_pem.write_to_path(made.stranger)
        _write(authority.issue_cert("127.0.0.1"), made.broker)
        _write(authority.issue_cert("client@example.org"), made.client)
        _write(stranger.issue_cert("client@example.org"), made.foreign_client)
        return made


def _write(leaf: trustme.LeafCert, path: Path) -> None:
    """Write key and certificate, the key as Kafka wants it."""
    key = load_pem_private_key(leaf.private_key_pem.bytes(), None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    path.write_bytes(key + b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
