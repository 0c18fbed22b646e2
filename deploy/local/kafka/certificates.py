"""A certificate authority made on the spot, for brokers and clients of this machine."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

VALID_FOR = timedelta(days=2)
"""Long enough for any test run, too short to be of use elsewhere."""


@dataclass(frozen=True)
class Certificate:
    """A certificate's files, PEM; ``bundle_file`` holds key and chain, as Kafka's keystores do."""

    cert_file: Path
    key_file: Path
    bundle_file: Path


class Authority:
    """Signs certificates with a key that lives only in this object.

    ``ca_file`` is the PEM certificate by which others recognise it.
    """

    def __init__(self, folder: Path, name: str = "hubblewatch-test-ca") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _common_name(name)
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        certificate = (
            _builder(self._name, self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(self._key_identifier(), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.ca_file = folder / f"{name}.pem"
        self.ca_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(
        self, name: str, hosts: Sequence[str] = (), valid_for: timedelta = VALID_FOR
    ) -> Certificate:
        """Write a key and a certificate for ``name`` and the DNS names or addresses ``hosts``.

        A negative ``valid_for`` makes one that has expired.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_common_name(name), self._name, key, valid_for).add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self._key_identifier()),
            critical=False,
        )
        if hosts:
            names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
            builder = builder.add_extension(names, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        cert_pem = certificate.public_bytes(serialization.Encoding.PEM)
        key_pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        files = Certificate(
            self._folder / f"{name}.crt", self._folder / f"{name}.key", self._folder / f"{name}.pem"
        )
        for file, content in (
            (files.cert_file, cert_pem),
            (files.key_file, key_pem),
            (files.bundle_file, key_pem + cert_pem),
        ):
            file.touch(mode=0o600)
            file.write_bytes(content)
        return files

    def _key_identifier(self) -> x509.SubjectKeyIdentifier:
        return x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    valid_for: timedelta = VALID_FOR,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    # From a day ago, so that clocks which differ a little agree.
    begin = min(now, now + valid_for) - timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(now + valid_for)
    )


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
