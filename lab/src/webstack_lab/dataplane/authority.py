"""The certificate authority of a lab: whoever trusts its `ca.pem` trusts every certificate of the data plane."""

from __future__ import annotations

import hashlib
import ipaddress
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAYS = 365
LONGEST_COMMON_NAME = 64
_lock = threading.Lock()


class Authority:
    """Makes certificates in a folder; the same names again give the same files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = folder / "ca.pem"
        self.ca_key = folder / "ca.key"
        self.certificates = folder / "certificates"
        with _lock:
            self.certificates.mkdir(parents=True, exist_ok=True)
            if not (self.ca.exists() and self.ca_key.exists()):
                self._found()

    def certificate(self, names: list[str]) -> tuple[Path, Path]:
        """A server certificate for DNS names and addresses (PEM, with the authority's behind it), and its key."""
        if not names:
            raise ValueError("a certificate needs at least one name")
        digest = hashlib.sha256("\n".join(sorted(set(names))).encode()).hexdigest()[:16]
        certificate, key = self.certificates / f"{digest}.pem", self.certificates / f"{digest}.key"
        with _lock:
            if not (certificate.exists() and key.exists()):
                self._issue(names, certificate, key)
        return certificate, key

    def _found(self) -> None:
        """A new authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "webstack lab authority")])
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        authority = (
            blank(name, name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        write_key(self.ca_key, key)
        write(self.ca, authority.public_bytes(serialization.Encoding.PEM))

    def _issue(self, names: list[str], certificate: Path, key_file: Path) -> None:
        """Sign one certificate."""
        authority = x509.load_pem_x509_certificate(self.ca.read_bytes())
        authority_key = serialization.load_pem_private_key(self.ca_key.read_bytes(), None)
        if not isinstance(authority_key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{self.ca_key} does not hold an elliptic curve key")
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:LONGEST_COMMON_NAME])])
        signed = (
            blank(subject, authority.subject, key.public_key())
            .add_extension(x509.SubjectAlternativeName([general_name(one) for one in names]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
            )
            .sign(authority_key, hashes.SHA256())
        )
        write_key(key_file, key)
        pem = serialization.Encoding.PEM
        write(certificate, signed.public_bytes(pem) + authority.public_bytes(pem))


def blank(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    """A certificate without extensions, valid from yesterday on."""
    now = datetime.now(timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=DAYS))
    )


def general_name(name: str) -> x509.GeneralName:
    """An address or a DNS name."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def write(path: Path, data: bytes) -> None:
    """All of a file or nothing."""
    fresh = path.with_name(path.name + ".new")
    fresh.touch(mode=0o600)
    fresh.write_bytes(data)
    fresh.replace(path)


def write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """A private key that only its owner reads. PostgreSQL and HAProxy both take PKCS 8."""
    plain = serialization.NoEncryption()
    write(path, key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
