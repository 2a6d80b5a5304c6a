"""What is written in any format is read as the same proof; what a format cannot say is refused in words."""

import re
from pathlib import Path

import gmpy2
import pytest
from gmpy2 import mpz

from certificates.__main__ import main
from certificates.n_minus_1 import prove_small
from certificates.reader import read
from certificates.structure import (
    Certificate,
    Chain,
    Kind,
    Morrison,
    PlusStep,
    Pocklington,
)
from certificates.text import Unwritable
from certificates.verifier import verify
from certificates.writer import FORMATS, write
from tests.unit.certificates.textbook import VECTORS

ALL = sorted(path.name for path in VECTORS.iterdir() if path.suffix != ".md")
LARGE = mpz(10) ** 24 + 399  # a prime between 2^64 and 3.3e24


def golden(name: str) -> Certificate:
    return read((VECTORS / name).read_bytes())


def text(certificate: Certificate, format: str) -> str:
    return b"".join(write(certificate, format)).decode()


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", ALL)
def test_what_is_written_proves_the_same_number_and_is_written_as_it_was_read(name: str, format: str) -> None:
    whole = golden(name)
    try:
        written = text(whole, format)
    except Unwritable:
        assert format != "mpu" or whole.kind in (Kind.N_PLUS_1, Kind.BOTH)  # all but these stand in that format
        return
    again = read(written.encode())
    verify(again)
    assert again.n == whole.n
    assert (again.kind, again.length) == (whole.kind, whole.length)
    assert text(again, format) == written


@pytest.mark.parametrize("name", ALL)
def test_a_certificate_can_be_written_in_the_format_that_it_was_read_from(name: str) -> None:
    suffix = name.rpartition(".")[2]
    assert text(golden(name), "primo" if suffix == "out" else suffix)


def test_primos_text_is_the_one_that_primo_writes() -> None:
    assert text(golden("30-digits.pari"), "primo").split("\n\n")[3:] == [
        "[1]\nS=$160\nW=$D8F4E55BCE20\nJ=-$D2F\nT=$B80D1469D00B063876877E9D",
        "[2]\nS=$B50557020\nW=-$167D963EBEF4\nJ=-$D2F\nT=$8EF80C3A731D9824E8F8CE\n",
    ]
    assert text(golden("30-digits.pari"), "primo").startswith("[PRIMO - Primality Certificate]\nFormat=4\nTestCount=2\n")
    assert "\n[Candidate]\nN=$1431E0FAE6D7217CAA000013F\n" in text(golden("30-digits.primo"), "primo")


def test_primos_older_format_is_read_as_the_same_certificate() -> None:
    assert golden("30-digits-format-3.out") == golden("30-digits.primo")


def test_each_step_of_primos_own_certificate_is_written_as_primo_wrote_it() -> None:
    theirs = (VECTORS / "768-bits.out").read_text()
    ours = text(golden("768-bits.out"), "primo")
    assert ours.split("\n\n")[3:] == [*theirs[: theirs.index("\n[Signature]")].split("\n\n")[5:]]


@pytest.mark.parametrize(
    ("certificate", "format", "words"),
    [
        (golden("n-minus-1.pari"), "primo", "Primo's format has no form for a certificate by several factors of N-1 or N+1"),
        (golden("n-minus-1.pari"), "coq", "Coq's format has no form for a certificate by several factors of N-1 or N+1"),
        (golden("n-plus-1.pari"), "mpu", "the format of Math::Prime::Util has no form for a certificate by several factors of N+1"),
        (golden("768-bits.out"), "coq", "Coq's format has no form for a step by a factor of N+1"),
        (golden("768-bits.out"), "pari", "PARI's format has no form for a step by a factor of N-1 or N+1 in a chain"),
        (Chain(LARGE), "primo", "Primo's format ends at a number below 2^64, this certificate at 100000000000…000000000399"),
        (
            Chain(mpz(7), (PlusStep(mpz(7), mpz(2), mpz(9), mpz(1)),)),
            "primo",
            "Primo's format tells a Lucas sequence by its Q alone",
        ),
    ],
)
def test_what_a_format_cannot_say_is_refused_in_words(certificate: Certificate, format: str, words: str) -> None:
    with pytest.raises(Unwritable, match="^" + re.escape(words)):
        text(certificate, format)


@pytest.mark.parametrize("format", ["pari", "mpu"])
def test_a_prime_that_others_do_not_take_without_a_proof_gets_one(format: str) -> None:
    assert gmpy2.is_prime(LARGE)
    written = read(text(Chain(LARGE), format).encode())
    verify(written)
    assert isinstance(written, Pocklington) and written.n == LARGE


def test_a_proof_of_a_small_prime_holds_or_there_is_none() -> None:
    found = 0
    p = mpz(2) ** 64
    for _ in range(60):
        p = gmpy2.next_prime(p * 1_009 // 1_000)
        if p < 3 * mpz(10) ** 24 and (made := prove_small(p)) is not None:
            found += 1
            verify(made)
    assert found > 20


def test_a_prime_whose_proof_is_not_at_hand_is_refused_in_words() -> None:
    hard = mpz(2) ** 80 - 65
    assert prove_small(hard) is None
    for format, words in (("pari", "PARI takes no prime above 2"), ("mpu", "the format takes no prime above 2")):
        with pytest.raises(Unwritable, match=rf"^{words}\^64 without a proof, and none was found of 120892581961…629174706111$"):
            text(Chain(hard), format)


def test_factors_of_both_neighbours_have_paris_form_alone() -> None:
    both = Morrison(mpz(2) ** 127 - 1, (mpz(3),), (mpz(2),))
    assert text(both, "pari") == f"[{both.n}, [3], [2]]\n"


def test_the_command_writes_what_it_has_proven_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(VECTORS / "30-digits.pari"), "--to", "mpu"]) == 0
    shown = capsys.readouterr()
    assert shown.out == text(golden("30-digits.pari"), "mpu")
    assert "is prime: 30 digits, ECPP, 2 steps" in shown.err
    bad = tmp_path / "bad.pari"
    bad.write_text((VECTORS / "30-digits.pari").read_text().replace("352", "354"))
    assert main([str(bad), "--to", "mpu"]) == 1
    assert capsys.readouterr().out == ""
    assert main([str(VECTORS / "n-plus-1.pari"), "--to", "primo"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "not written, Primo's format has no form for" in shown.err
