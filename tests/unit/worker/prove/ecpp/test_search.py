"""A search keeps all workers busy."""

from services.worker.prove.ecpp.pace import Paces
from services.worker.prove.ecpp.parts import Cofactors, Order, OrdersFound
from services.worker.prove.ecpp.search import Search
from tests.unit.worker.prove.ecpp.numbers import outcome, prime


def test_idle_workers_share_the_orders_that_are_left_when_no_discriminants_are() -> None:
    """None of the cofactors' tests comes to an end, and still the next worker gets others."""
    search = Search(prime(200, 1), (), Paces(), thorough=False)
    found: list[Order] = []
    tested: list[Order] = []
    while (part := search.next() or search.next(idle=True)) is not None:
        if isinstance(part, Cofactors):
            tested += part.orders
        else:
            came = outcome(part)
            search.learn(part, came)
            found += came.orders if isinstance(came, OrdersFound) else ()
    cheap = {order for order in found if order.class_number in (2, 4, 8)}  # their curves need roots of degree 2 alone
    assert cheap
    assert cheap <= {*tested}
