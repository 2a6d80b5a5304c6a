"""Certificates are read as they were written; whatever else is read is refused in words that tell where."""

import contextlib
import sys

import gmpy2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from certificates import reader
from certificates.pari import read_pari
from certificates.primo import read_primo
from certificates.reader import read
from certificates.structure import Affine, Chain, Coefficients, Invariant, Kind, Morrison, Pocklington, ProvenFactor, Step
from certificates.text import MOST_DEPTH, MOST_DIGITS, MOST_STEPS, Malformed
from tests.unit.certificates import textbook
from tests.unit.certificates.textbook import VECTORS

integers = st.one_of(st.integers(), st.integers(-(10**300), 10**300)).map(gmpy2.mpz)
positive = st.one_of(st.integers(1, 99), st.integers(1, 10**100)).map(gmpy2.mpz)
primo_curves = st.builds(Invariant, integers, integers) | st.builds(Coefficients, integers, integers, integers)


@st.composite
def primo_chains(draw: st.DrawFn) -> Chain:
    """Chains whose numbers follow from each other, as Primo's format has it."""
    first = n = draw(integers)
    steps = []
    for t, s, curve in draw(st.lists(st.tuples(integers, positive, primo_curves), max_size=5)):
        steps.append(Step(n, t, s, curve))
        n = (n + 1 - t) // s
    return Chain(first, tuple(steps))


pari_steps = st.builds(Step, integers, integers, integers, st.builds(Affine, integers, integers, integers))
pari_chains = st.lists(pari_steps, min_size=1, max_size=5).map(lambda steps: Chain(steps[0].n, tuple(steps)))


def nest(inner: st.SearchStrategy[Pocklington]) -> st.SearchStrategy[Pocklington]:
    factors = st.builds(ProvenFactor, integers) | st.builds(ProvenFactor, integers, integers, inner)
    return st.builds(Pocklington, integers, st.lists(factors, min_size=1, max_size=4).map(tuple))


plain = st.builds(Pocklington, integers, st.lists(st.builds(ProvenFactor, integers), min_size=1, max_size=4).map(tuple))
pocklingtons = st.recursive(plain, nest, max_leaves=6)


def vector(name: str) -> str:
    return (VECTORS / name).read_text()


@given(primo_chains())
def test_primos_text_is_read_as_it_was_written(chain: Chain) -> None:
    assert read(textbook.primo(chain).encode()) == chain


@given(pari_chains | st.builds(Chain, integers) | pocklingtons)
def test_paris_text_is_read_as_it_was_written(certificate: Chain | Pocklington) -> None:
    assert read(textbook.pari(certificate).encode()) == certificate


@given(pari_chains | pocklingtons, st.sampled_from([" ", "\n", "\r\n", "\t  \n"]))
def test_spaces_between_the_numbers_of_paris_text_mean_nothing(certificate: Chain | Pocklington, space: str) -> None:
    text = textbook.pari(certificate).replace(" ", "")
    for sign in "[],":
        text = text.replace(sign, f"{space}{sign}{space}")
    assert read_pari(text) == certificate


def test_empty_lines_spaces_at_a_lines_end_and_comments_of_primos_text_mean_nothing() -> None:
    text = vector("30-digits.primo")
    wanted = read_primo(text)
    assert read_primo(text.replace("\n", "\r\n")) == wanted
    assert read_primo(text.replace("\n", " \n\n")) == wanted
    start, end = text.index("[Comments]"), text.index("[Candidate]")
    assert read_primo(text[:start] + text[end:]) == wanted
    assert read_primo(text[:start] + "[Comments]\n[1]\nS=0x1\nanything\n" + text[end:]) == wanted


@pytest.mark.parametrize("name", ["30-digits", "100-digits", "small"])
def test_the_two_texts_of_a_proof_tell_the_same_numbers(name: str) -> None:
    primo, pari = read_primo(vector(f"{name}.primo")), read_pari(vector(f"{name}.pari"))
    assert isinstance(pari, Chain)
    assert (primo.n, [(s.n, s.s, s.next) for s in primo.steps]) == (pari.n, [(s.n, s.s, s.next) for s in pari.steps])
    for ours, theirs in zip(primo.steps, pari.steps, strict=True):
        assert isinstance(ours, Step) and isinstance(theirs, Step)
        n = int(ours.n)
        (a, b, _), (c, d, _) = textbook.curve_of(ours.curve, n), textbook.curve_of(theirs.curve, n)
        assert (a**3 * d**2 - c**3 * b**2) % n == 0  # the same j-invariant


def test_a_certificate_tells_its_kind_and_length() -> None:
    told = {name: read(vector(name).encode()) for name in ("100-digits.primo", "small.pari", "n-minus-1.pari")}
    assert [(it.kind, it.length) for it in told.values()] == [(Kind.ECPP, 11), (Kind.SMALL, 0), (Kind.N_MINUS_1, 2)]


def test_every_prefix_of_primos_text_by_lines_is_refused() -> None:
    lines = vector("30-digits.primo").rstrip("\n").split("\n")
    for end in range(len(lines)):
        with pytest.raises(Malformed, match="expected"):
            read("\n".join(lines[:end]).encode())
    assert read("\n".join(lines).encode())


@pytest.mark.parametrize("name", ["30-digits.pari", "n-minus-1.pari"])
def test_every_prefix_of_paris_text_is_refused(name: str) -> None:
    text = vector(name).rstrip("\n")
    for end in range(len(text)):
        with pytest.raises(Malformed, match=r"line 1, column \d+: expected"):
            read(text[:end].encode())


def test_lines_of_primos_text_that_are_missing_doubled_or_moved_are_refused() -> None:
    lines = [line for line in vector("30-digits.primo").split("\n") if line]
    lines = [line for line in lines if not line.startswith(("Generated", "https", "[Comments]"))]
    for at, line in enumerate(lines):
        changed = [lines[:at] + lines[at + 1 :], [*lines[:at], line, *lines[at:]]]
        if at + 1 < len(lines) and not line.startswith("Format"):  # the names before the candidate stand in any order
            changed += [[*lines[:at], lines[at + 1], line, *lines[at + 2 :]]]
        for text in changed:
            with pytest.raises(Malformed):
                read_primo("\n".join(text))


HEAD = "[PRIMO - Primality Certificate]\nFormat=4\nTestCount=1\n[Candidate]\nN=0x61\n[1]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1, column 1: expected [ or a number, got the end of the text"),
        ("prime", "line 1, column 1: expected [ or a number, got 'prime'"),
        ("97 98", "line 1, column 4: expected the end of the text, got '98'"),
        ("--97", "line 1, column 1: expected [ or a number, got '--97'"),
        ("[]", "line 1, column 2: expected a number, got ']'"),
        ("[97, []]", "line 1, column 8: expected , and factors of N+1, got ']'"),
        ("[97, [2]", "line 1, column 9: expected ], got the end of the text"),
        ("[97,\n [2; 3]]", "line 2, column 4: expected , or ], got '; 3]]'"),
        ("[97, [[2, 5, 7]]]", "line 1, column 14: expected [, got '7]]]'"),
        ("[[97, 1, 1, 0, [1]]]", "line 1, column 18: expected ,, got ']]]'"),
        ("[[97, 1, 1, 0, [1, 2, 3]]]", "line 1, column 21: expected ], got ', 3]]]'"),
        ("[[97, 1, 1.5, 0, [1, 2]]]", "line 1, column 11: expected ,, got '.5, 0, [1, 2]]]'"),
        ("[PRIMO]", "line 1: expected [PRIMO - Primality Certificate], got '[PRIMO]'"),
        (HEAD.replace("=4", "=2"), "line 2: expected Format=4 or Format=3, got 'Format=2'"),
        (HEAD.replace("=4", "=3"), "line 6: expected N$=, got '[1]'"),
        (HEAD.replace("Format=4\n", ""), "line 3: expected Format=, got '[Candidate]'"),
        (HEAD.replace("TestCount=1\n", ""), "line 3: expected TestCount=, got '[Candidate]'"),
        (HEAD.replace("Format=4\n", "Format=4\n" * 2), "line 3: expected this once, got 'Format=4'"),
        (HEAD.replace("N=0x61\n", "N=0x61\n" * 2), "line 6: expected N= once, got 'N=0x61'"),
        (HEAD.replace("N=0x61\n", "File=x\n"), "line 6: expected N=, got '[1]'"),
        (HEAD.replace("=1", "=one"), f"line 3: expected TestCount= and a number up to {MOST_STEPS}, got 'TestCount=one'"),
        (HEAD.replace("=1", "=10001"), f"line 3: expected TestCount= and a number up to {MOST_STEPS}, got 'TestCount=10001'"),
        (HEAD.replace("0x61", "$"), "line 5: expected N= and a number such as $1F, -$1F or 0x1F, got 'N=$'"),
        (HEAD.replace("[1]", "[2]"), "line 6: expected [1], got '[2]'"),
        (HEAD + "S=0x0\n", "line 7: expected S above 0, got 'S=0x0'"),
        (HEAD + "S=-0x1\n", "line 7: expected S above 0, got 'S=-0x1'"),
        (HEAD + "S=0x1\nW=1F\n", "line 8: expected W= and a number such as $1F, -$1F or 0x1F, got 'W=1F'"),
        (HEAD + "S=0x1\nJ=0x2\n", "line 8: expected W=, B= or Q=, got 'J=0x2'"),
        (HEAD + "S=0x1\nW=0x1\nQ=0x2\n", "line 9: expected J= or A=, got 'Q=0x2'"),
        (HEAD + "S=0x1\nW=0x1\nJ=0x2\nB=0x2\n", "line 10: expected T=, got 'B=0x2'"),
        (HEAD + "S=0x1\nW=0x1\nJ=0x2\n", "end of the text: expected T="),
        (
            HEAD + "S=0x1\nW=0x1\nJ=0x2\nT=0x1\nT=0x1",
            "line 11: expected the end of the text after 1 steps (TestCount), got 'T=0x1'",
        ),
    ],
)
def test_a_text_that_is_no_certificate_is_refused_in_words(text: str, message: str) -> None:
    with pytest.raises(Malformed) as caught:
        read(text.encode())
    assert str(caught.value) == message


def test_bytes_that_are_no_ascii_are_refused() -> None:
    with pytest.raises(Malformed, match="byte 2: expected ASCII, got 0xC2"):
        read("97²".encode())


def test_a_long_line_is_quoted_by_its_beginning() -> None:
    with pytest.raises(Malformed) as caught:
        read(("x" * 10**6).encode())
    assert len(str(caught.value)) < 120


def test_a_text_that_is_too_long_is_refused_before_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MOST_BYTES", 10)
    with pytest.raises(Malformed, match="expected at most 10 bytes, got 11"):
        read(b"\xff" * 11)


def test_numbers_beyond_the_bound_are_refused() -> None:
    assert read(b"1" * MOST_DIGITS).n == gmpy2.mpz("1" * MOST_DIGITS)
    with pytest.raises(Malformed, match=f"expected a number of at most {MOST_DIGITS} characters"):
        read(b"1" * (MOST_DIGITS + 1))
    with pytest.raises(Malformed, match=f"line 5: expected N= and at most {MOST_DIGITS} characters"):
        read(HEAD.replace("0x61", "0x" + "1" * MOST_DIGITS).encode())


def test_more_steps_or_factors_than_the_bound_are_refused() -> None:
    step = "[5, 0, 1, 0, [1, 1]]"
    assert read(f"[{', '.join([step] * MOST_STEPS)}]".encode()).length == MOST_STEPS
    with pytest.raises(Malformed, match=f"expected at most {MOST_STEPS} steps or factors"):
        read(f"[{', '.join([step] * (MOST_STEPS + 1))}]".encode())
    inner = f"[7, 3, [7, [{', '.join(['2'] * 2_000)}]]]"
    with pytest.raises(Malformed, match=f"expected at most {MOST_STEPS} steps or factors"):
        read(f"[97, [{', '.join([inner] * 5)}]]".encode())


def test_certificates_within_each_other_have_a_bound_far_from_the_interpreters() -> None:
    def nested(depth: int) -> bytes:
        return ("[7, [[7, 3, " * depth + "[7, [2]]" + "]]]" * depth).encode()

    assert read(nested(MOST_DEPTH)).length == MOST_DEPTH + 1
    assert sys.getrecursionlimit() > 5 * MOST_DEPTH
    for depth in (MOST_DEPTH + 1, 100_000):
        with pytest.raises(Malformed, match=f"expected at most {MOST_DEPTH} certificates within each other"):
            read(nested(depth))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    read_or_refuse(data)


@given(st.text("[]-,0123456789 \n", max_size=200) | st.text("=0xN[]STJWAB1 \n", max_size=200).map(HEAD.__add__))
def test_any_text_of_the_formats_letters_is_read_or_refused(text: str) -> None:
    read_or_refuse(text.encode())


@given(st.sampled_from(["30-digits.primo", "30-digits.pari", "n-minus-1.pari"]), st.data())
def test_any_damage_to_a_certificate_is_read_or_refused(name: str, data: st.DataObject) -> None:
    text = (VECTORS / name).read_bytes()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 20)))
    read_or_refuse(text[:start] + data.draw(st.binary(max_size=5)) + text[end:])


def read_or_refuse(data: bytes) -> None:
    with contextlib.suppress(Malformed):
        assert isinstance(read(data), Chain | Pocklington | Morrison)
