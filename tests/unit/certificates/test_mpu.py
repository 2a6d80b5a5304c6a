"""The text of Math::Prime::Util is read, in each of its types, and refused in words where it says nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certificates.mpu import read_mpu
from certificates.reader import read
from certificates.rejection import Rejected
from certificates.structure import Chain, Kind, Pocklington
from certificates.text import MOST_DEPTH, MOST_STEPS, Malformed
from certificates.verifier import verify
from tests.unit.certificates.textbook import VECTORS

N = 10384593717069655257060992658440473
HEAD = f"[MPU - Primality Certificate]\nVersion 1.0\n\nProof for:\nN {N}\n\n"
Q_MINUS, Q_PLUS, Q_CURVE = 87820459687010818424506060639, 39635853881945249072751880375727, 5993497855483635306095323

# What each type says of N, with the numbers of the format's own description; and what proves the primes that they lead to.
TYPES = {
    "Lucas": f"Q[1]  2\nQ[2]  3\nQ[3]  13\nQ[4]  379\nQ[5]  {Q_MINUS}\nA     41",
    "Pocklington": f"Q  {Q_MINUS}\nA  2",
    "BLS3": f"Q  {Q_MINUS}\nA  2",
    "BLS15": f"Q  {Q_PLUS}\nLP 1\nLQ 14",
    "BLS5": f"Q[1]  {Q_MINUS}\nQ[2]  379\nQ[3]  13\nQ[4]  3\nA[0]  5\nA[4]  19\n----",
    "ECPP": f"A 0\nB {N - 41}\nM 10384593717069655452756816068330887\nQ {Q_CURVE}\n"
    "X 1359475440\nY 10082088253583065961418240390837705",
}
INNER = (VECTORS / "10384593717069655257060992658440473.mpu").read_text()
INNER = INNER[INNER.index("Type", INNER.index("----")) :]  # without what it says of N


def block(kind: str) -> str:
    return f"Type {kind}\nN  {N}\n{TYPES[kind]}\n\n"


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("Lucas", Kind.N_MINUS_1),
        ("Pocklington", Kind.N_MINUS_1),
        ("BLS3", Kind.N_MINUS_1),
        ("BLS15", Kind.ECPP),
        ("BLS5", Kind.N_MINUS_1),
        ("ECPP", Kind.ECPP),
    ],
)
def test_each_type_of_the_formats_description_proves_its_number(kind: str, told: Kind) -> None:
    certificate = read_mpu(HEAD + block(kind) + INNER)
    verify(certificate)
    assert (certificate.n, certificate.kind) == (N, told)
    verify(read_mpu(HEAD + INNER + block(kind)))  # in whichever order
    assert read_mpu((HEAD + "# so it is\n" + block(kind) + INNER).replace("\n", "\r\n")) == certificate


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_a_number_of_any_type_that_is_changed_is_refused(kind: str) -> None:
    lines = block(kind).split("\n")
    for at, line in enumerate(lines):
        if not line or line.startswith(("Type", "-")):
            continue
        name, _, value = line.partition(" ")
        for changed in (int(value) + 2, -int(value), 0):
            if name[0] in "AXL" or (name, changed) == ("Y", -int(value)):
                continue  # another base, point or Lucas sequence may do as well
            text = HEAD + "\n".join((*lines[:at], f"{name} {changed}", *lines[at + 1 :])) + INNER
            with pytest.raises((Malformed, Rejected)):
                verify(read_mpu(text))


def test_what_primes_need_is_asked_for() -> None:
    for kind in ("Pocklington", "ECPP"):
        with pytest.raises(Rejected, match=r"the last number is no prime below 3\.3e24"):
            verify(read_mpu(HEAD + block(kind)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[MPU]", "line 1: expected [MPU - Primality Certificate], got '[MPU]'"),
        (HEAD[:30], "end of the text: expected Proof for:"),
        (HEAD.replace("Version 1.0", "Base 16"), "line 2: expected Base 10, got 'Base 16'"),
        (HEAD.replace("N ", "M "), f"line 5: expected N and a decimal number, got 'M {N}'"),
        (HEAD + "N 7", "line 7: expected Type, got 'N 7'"),
        (
            HEAD + "Type BLS7",
            "line 7: expected Type and one of ECPP, ECPP3, ECPP4, POCKLINGTON, BLS3, BLS15, SMALL, BLS5, LUCAS, got",
        ),
        (HEAD + "Type Small\nN 7.5", "line 8: expected N and a decimal number, got 'N 7.5'"),
        (HEAD + "Type Pocklington\nN 7\nN 7", "line 9: expected Q or A and a decimal number, got 'N 7'"),
        (HEAD + "Type Pocklington\nN 7\nQ 4\nA 2", "line 10: expected before this, Q above 0 that divides N - 1, got 'A 2'"),
        (HEAD + "Type BLS15\nN 7\nQ 0\nLP 2\nLQ 2", "line 11: expected before this, Q above 0 that divides N + 1, got 'LQ 2'"),
        (HEAD + "Type BLS5\nN 7\nQ[2] 3\n----", "line 9: expected N, Q[1], A[0] or less and a decimal number, got 'Q[2] 3'"),
        (HEAD + "Type BLS5\nN 7\nQ[1] 3", "end of the text: expected a line of ---- after BLS5"),
        (HEAD + "Type BLS5\nQ[1] 3\n----", "line 9: expected N before this, got '----'"),
        (
            HEAD + "Type ECPP\nN 7\nA 0\nB 1\nM 4\nQ 4\nX 1\nY 1",
            "line 14: expected before this, a point X, Y on the curve y^2 = x^3 + A x + B modulo N, got 'Y 1'",
        ),
    ],
)
def test_a_text_that_says_nothing_is_refused_in_words(text: str, message: str) -> None:
    with pytest.raises(Malformed) as caught:
        read(text.encode())
    assert str(caught.value).startswith(message)


def test_proofs_that_lead_back_to_where_they_began_end() -> None:
    with pytest.raises(Malformed, match=f"at most {MOST_STEPS}, those that are needed twice counted twice"):
        read_mpu(HEAD + f"Type Pocklington\nN {N}\nQ {N - 1}\nA 2\n\nType BLS15\nN {N - 1}\nQ {N}\nLP 1\nLQ 1\n")


def test_proofs_within_each_other_have_a_bound() -> None:
    blocks = "".join(f"Type BLS5\nN {N + at}\nQ[1] {N + at + 1}\n----\n" for at in range(MOST_DEPTH + 2))
    with pytest.raises(Malformed, match=f"at most {MOST_DEPTH} certificates within each other"):
        read_mpu(HEAD + blocks)


def test_proofs_that_need_each_other_twice_over_are_bounded() -> None:
    blocks = "".join(f"Type BLS5\nN {N + at}\nQ[1] {N + at + 1}\nQ[2] {N + at + 1}\n----\n" for at in range(60))
    with pytest.raises(Malformed, match=f"at most {MOST_STEPS}"):
        read_mpu(HEAD + blocks)


@given(st.text("NQAMTypeBLS5ECP[]-0123456789 \n", max_size=200))
def test_any_text_of_the_formats_letters_is_read_or_refused(text: str) -> None:
    try:
        found = read_mpu(HEAD + text)
    except Malformed:
        return
    assert isinstance(found, Chain | Pocklington)
