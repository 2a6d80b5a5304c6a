"""Each job is settled once, and the metrics know it by its outcome."""

import pytest

from services.jobs.messages import ANYBODY, Answer, Fault, Verdict
from services.web.ask.question import Question
from services.web.queue.ledger import Ledger
from services.web.queue.settlement import FAILED, OUTCOMES, Settlement, outcome


def test_of_two_answers_to_a_job_its_client_gets_the_first() -> None:
    ledger, heard = Ledger(10), list[Answer]()
    ledger.accept(Question("97"), ANYBODY, heard.append)
    first, second = Answer(1, Verdict.PRIME), Answer(1, Verdict.COMPOSITE)
    Settlement(ledger, "web").settle([first, second])
    assert heard == [first]
    assert len(ledger) == 0


def test_an_answer_to_another_processs_job_is_dropped() -> None:
    Settlement(ledger := Ledger(10), "web").settle([Answer(7, Verdict.PRIME)])
    assert len(ledger) == 0


@pytest.mark.parametrize("verdict", Verdict)
def test_an_answer_is_counted_by_its_verdict(verdict: Verdict) -> None:
    assert outcome(Answer(1, verdict)) == verdict.value


@pytest.mark.parametrize("fault", Fault)
def test_faults_of_ours_are_counted_as_one_and_the_others_each_by_itself(fault: Fault) -> None:
    told = outcome(Answer(1, Verdict.UNKNOWN, fault=fault))
    assert told == ("failed" if fault in FAILED else fault.value)
    assert told in OUTCOMES
