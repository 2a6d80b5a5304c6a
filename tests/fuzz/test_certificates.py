"""Texts of certificates, right and nearly right: what is read is read whole, and no text proves a composite prime."""

import contextlib
import tracemalloc

import gmpy2
from hypothesis import example, given
from hypothesis import strategies as st

from certificates.reader import read
from certificates.rejection import Rejected
from certificates.structure import Certificate
from certificates.text import Malformed
from certificates.verifier import verify
from tests.fuzz import steps
from tests.fuzz.sentences import check_sentence
from tests.unit.certificates.textbook import VECTORS

VALID = [path.read_bytes() for path in sorted(VECTORS.glob("*.p*i*")) if path.stat().st_size < 20_000]
assert len(VALID) > 5

SEPARATORS = b"\n =[],"
small = st.integers(-20, 10**6).map(lambda n: b"%d" % n) | st.integers(0, 10**6).map(lambda n: b"0x%X" % n)
words = (
    st.sampled_from([b"[", b"]", b",", b"\n", b"=", b"-", b"0x", b"[97,[", b"[1]\n", b"N=", b"S=0x1\n", "²".encode(), b"[]", b""])
    | small
)
made = st.lists(words, max_size=40).map(b"".join) | st.binary(max_size=100)


def parted(text: bytes) -> list[bytes]:
    """Numbers, and what stands between them."""
    parts, word = [], b""
    for byte in (text[at : at + 1] for at in range(len(text))):
        if byte in SEPARATORS:
            parts += [word, byte]
            word = b""
        else:
            word += byte
    return [part for part in (*parts, word) if part]


PARTED = [parted(text) for text in VALID]


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """A certificate of which some parts are others, or gone, or twice there."""
    parts = list(draw(st.sampled_from(PARTED)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(parts) - 1))
        another = st.sampled_from(parts) | words
        parts[at : at + draw(st.integers(0, 2))] = draw(st.lists(another, max_size=2))
        if not parts:
            break
    return b"".join(parts)


def understood(data: bytes) -> Certificate | None:
    """The certificate, or None where it is refused."""
    try:
        return read(data)
    except Malformed as error:
        check_sentence(error)
        return None


@given(made | changed())
@example(b"[" * 100_000)
@example(b"[[" * 100_000)
@example(b"[97,[" + b"[97,2,[97,[" * 5_000)
@example(b"[PRIMO - Primality Certificate]\nFormat=4\nTestCount=1\n[Candidate]\nN=0x61\n[1]\nS=0x2\n")
@example(b"[9,[[3,2,[3,[2]]]]]")
def test_no_text_proves_a_composite(data: bytes) -> None:
    certificate = understood(data)
    if certificate is None:
        return
    try:
        verify(certificate)
    except Rejected as error:
        check_sentence(error)
    else:
        assert gmpy2.is_prime(gmpy2.mpz(certificate.n), 40)


@given(
    st.sampled_from([b"", b"[97,", b"[[97,", b"[PRIMO - Primality Certificate]\nFormat=4\n"]),
    words.filter(bool),
    st.integers(1, 60_000),
)
def test_reading_takes_steps_and_memory_in_proportion_to_the_text(head: bytes, word: bytes, size: int) -> None:
    data = head + (word * (size // len(word) + 1))[:size]

    def once() -> None:
        with contextlib.suppress(Malformed):
            read(data)

    once()
    assert steps.count(once) <= 10_000 + 20 * len(data)
    tracemalloc.start()
    try:
        once()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 200 * len(data) + 400_000  # a line of Primo's, or a number of PARI's, is an object of its own
