"""A small certificate authority: makes itself, and certificates under it that name whoever holds them.

For made-up networks, trials and tests; the keys it makes are handed back as bytes and written by whoever asked.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLOCKS_APART = timedelta(days=1)  # a certificate is good from yesterday on: a machine's clock may be behind the one that made it


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its key, both as PEM."""

    cert: bytes
    key: bytes

    def __repr__(self) -> str:
        return "Certificate(…)"  # a key is never printed


@dataclass(frozen=True, slots=True)
class Authority:
    """Signs certificates. `pair` is its own, which whoever is to trust it needs the `cert` of."""

    pair: Certificate

    @classmethod
    def make(cls, name: str, now: datetime, lasts: timedelta) -> "Authority":
        """A new authority, whose common name is `name`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _named(name)
        builder = _begun(subject, subject, key.public_key(), now, now + lasts)
        made = (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        return cls(_pem(made, key))

    def issue(self, name: str, now: datetime, lasts: timedelta, addresses: Sequence[str] = ()) -> Certificate:
        """A certificate good at both ends of a line, for the holder `name`, reached at `addresses` (hosts' names and IP addresses)
        where it listens; it never outlives the authority's own."""
        own = x509.load_pem_x509_certificate(self.pair.cert)
        signer = serialization.load_pem_private_key(self.pair.key, None)
        assert isinstance(signer, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey))
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _begun(_named(name), own.subject, key.public_key(), now, min(now + lasts, own.not_valid_after_utc))
        made = (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
            )
            .add_extension(x509.SubjectAlternativeName([_address(a) for a in (name, *addresses)]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
            .sign(signer, hashes.SHA256())
        )
        return _pem(made, key)

    def made(self, pair: Certificate) -> bool:
        """Whether this authority signed it, and its key is its own."""
        try:
            cert = x509.load_pem_x509_certificate(pair.cert)
            key = serialization.load_pem_private_key(pair.key, None)
            cert.verify_directly_issued_by(x509.load_pem_x509_certificate(self.pair.cert))
        except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature):
            return False
        return key.public_key() == cert.public_key()


def good_until(cert: bytes) -> datetime:
    """When it ends; ValueError where it is no certificate."""
    return x509.load_pem_x509_certificate(cert).not_valid_after_utc


def names_in(cert: bytes) -> tuple[str, tuple[str, ...]]:
    """(common name, DNS names); ValueError where it is no certificate."""
    read = x509.load_pem_x509_certificate(cert)
    common = read.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    try:
        also = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        also = []
    return (str(common[0].value) if common else ""), tuple(also)


def addresses_in(cert: bytes) -> tuple[str, ...]:
    """The names and IP addresses that it is good for; ValueError where it is no certificate."""
    also = x509.load_pem_x509_certificate(cert).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return (*also.get_values_for_type(x509.DNSName), *map(str, also.get_values_for_type(x509.IPAddress)))


def _address(address: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(address))
    except ValueError:
        return x509.DNSName(address)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, until) - CLOCKS_APART)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=signs_certificates, crl_sign=signs_certificates, encipher_only=False,
        decipher_only=False,
    )  # fmt: skip


def _pem(cert: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Certificate:
    held = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Certificate(cert.public_bytes(serialization.Encoding.PEM), held)
