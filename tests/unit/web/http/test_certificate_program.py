"""What a check tells."""

from certificates import read
from services.web.http.certificate_program import outcome


def test_an_outcome_tells_number_kind_and_steps() -> None:
    assert outcome(read(b"97")) == {"number": "97", "digits": 2, "kind": "small", "steps": 0, "proven": True}
    assert outcome(read(b"-7"))["digits"] == 1
    told = outcome(read(b"[91, [2, 3, 5]]"))
    assert (told["proven"], told["step"], told["reason"]) == (False, 1, "there is no base for a factor")
