"""`POST /certificates` checks anybody's certificate; `GET /certificates/SHA256?format=` writes one as others have it."""

import contextlib
import http.client

import gmpy2
import pytest

import certificates
from tests.integration.conftest import Front, Whole
from tests.integration.stack import Response, Web
from tests.unit.certificates.textbook import VECTORS


def post(web: Web, text: bytes, length: int | None = None) -> Response:
    """What is answered to this certificate; `length`: that its head tells, of which no more than `text` is sent."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", web.port, timeout=60)) as connection:
        connection.request("POST", "/certificates", text, {"Content-Length": str(len(text) if length is None else length)})
        response = connection.getresponse()
        return Response(response.status, dict(response.getheaders()), response.read())


@pytest.mark.parametrize("name", ["768-bits.out", "30-digits.primo", "30-digits.mpu", "n-minus-1.pari", "n-plus-1.pari"])
def test_a_strangers_certificate_is_checked(whole: Whole, name: str) -> None:
    text = (VECTORS / name).read_bytes()
    response = post(whole.webs[0], text)
    assert response.status == 200
    assert response.json["proven"] is True
    assert response.json["number"] == str(certificates.read(text).n)


def test_one_that_does_not_hold_is_told_with_its_step(whole: Whole) -> None:
    text = (VECTORS / "768-bits.out").read_bytes().replace(b"S=$12DE", b"S=$12DF")
    told = post(whole.webs[0], text).json
    assert (told["proven"], told["step"], told["reason"]) == (False, 34, "s does not divide n + 1")


def test_what_is_none_or_too_long_is_refused(whole: Whole) -> None:
    response = post(whole.webs[0], b"seven")
    assert (response.status, response.json["error"]["code"]) == (400, "not_a_certificate")
    assert response.json["error"]["message"].endswith("line 1, column 1: expected [ or a number, got 'seven'")
    response = post(whole.webs[0], b"", (1 << 20) + 1)  # it is refused, and the connection closed, before the text could be sent
    assert (response.status, response.json["error"]["code"]) == (413, "body_too_large")
    assert whole.webs[0].get("/certificates").status == 405


def test_a_kept_certificate_is_had_in_each_format(front: Front) -> None:
    front.worker("worker0")
    front.wait_ready()
    number = str(gmpy2.mpz(10) ** 99 + 289)
    sha256 = front.web0.get(f"/primes/{number}?proof=true").json["evidence"]["certificate"]
    for format in certificates.FORMATS:
        response = front.web0.get(f"/certificates/{sha256}?format={format}")
        assert response.status == 200, format
        assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert response.headers["Content-Disposition"] == f'attachment; filename="{sha256[:16]}.{format}"'
        certificate = certificates.read(response.body)
        certificates.verify(certificate)
        assert str(certificate.n) == number
        head = {"primo": b"[PRIMO", "coq": b"[PRIMO", "mpu": b"[MPU", "pari": b"[["}[format]
        assert response.body.startswith(head)
    factors = front.web0.get("/primes/3*2%5E2816+1").json["evidence"]["certificate"]  # by several factors of N-1
    assert front.web0.get(f"/certificates/{factors}?format=mpu").body.startswith(b"[MPU")
    response = front.web0.get(f"/certificates/{factors}?format=coq")
    assert response.status == 404
    assert "several factors of N-1 or N+1" in response.json["error"]["message"]
    response = front.web0.get(f"/certificates/{sha256}?format=pem")
    assert response.json["error"]["message"] == "format: expected one of primo, pari, mpu, coq, got 'pem'"
