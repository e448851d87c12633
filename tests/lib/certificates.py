"""Certificates for tests, made with openssl."""
import subprocess
from pathlib import Path


def make(folder, name="gate.example.org", names=(), days=30):
    """(certificate, key): self-signed. days below zero: expired."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    san = ",".join(f"DNS:{n}" for n in (name, *names))
    if days < 0:
        return expired(cert, key, name, san)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    str(days), "-subj", f"/CN={name}", "-addext", f"subjectAltName={san}", "-keyout", str(key), "-out", str(cert)],
                   check=True, capture_output=True)
    return cert, key


def expired(cert, key, name, san):
    from datetime import datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    k = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.utcnow()
    c = (x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(k.public_key())
         .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(60)).not_valid_after(now - timedelta(1))
         .add_extension(x509.SubjectAlternativeName([x509.DNSName(n[4:]) for n in san.split(",")]), False)
         .sign(k, hashes.SHA256()))
    cert.write_bytes(c.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(k.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                    serialization.NoEncryption()))
    return cert, key


def fingerprint(cert):
    out = subprocess.run(["openssl", "x509", "-in", str(cert), "-noout", "-fingerprint", "-sha256"], check=True,
                         capture_output=True, text=True).stdout
    return out.strip().split("=")[1]
