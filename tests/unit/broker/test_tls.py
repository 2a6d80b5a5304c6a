"""What is shown over TLS, as its files are replaced."""

import ssl
import subprocess
from pathlib import Path

import pytest

from services.broker.tls import Papers


def make(folder: Path, *protection: str) -> Papers:
    """A certificate that signs itself, with its key."""
    certificate, key = folder / "tls.crt", folder / "tls.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=a", "-days", "1"]
    subprocess.run([*command, "-keyout", key, "-out", certificate, *(protection or ["-noenc"])], check=True, capture_output=True)
    return Papers(certificate, certificate, key)


def test_files_are_read_once_until_they_are_replaced(tmp_path: Path) -> None:
    papers = make(tmp_path)
    first = papers.get()
    assert papers.get() is first
    make(tmp_path)
    second = papers.get()
    assert second is not first and papers.get() is second


def test_a_file_that_is_away_for_a_moment_changes_nothing(tmp_path: Path) -> None:
    papers = make(tmp_path)
    first = papers.get()
    (tmp_path / "tls.key").rename(tmp_path / "away")
    assert papers.get() is first


def test_a_key_that_wants_a_password_is_refused_and_nobody_is_asked(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLError):
        make(tmp_path, "-passout", "pass:secret").get()


def test_without_files_the_systems_authorities_are_believed() -> None:
    assert Papers(None, None, None).get().verify_mode is ssl.CERT_REQUIRED
