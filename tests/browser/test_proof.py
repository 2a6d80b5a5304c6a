"""A proof on demand, from the tick beside the question to the certificate that the browser has checked."""

import hashlib

from playwright.sync_api import Page, expect

from tests.browser.asking import ask, row, wait_answered


def test_a_prime_is_proven_and_its_certificate_checked_in_the_browser(page: Page) -> None:
    page.get_by_label("Prove large primes").check()
    ask(page, "10^100+267", "10^30+56")
    wait_answered(page, 2)
    expect(row(page, "10^100+267").locator("strong")).to_have_text("Prime")
    expect(row(page, "10^100+267")).to_contain_text("steps of its certificate hold.", timeout=30_000)
    expect(row(page, "10^30+56")).to_contain_text("✓ Checked here 2 divides it.")
    link = row(page, "10^100+267").get_by_role("link", name="Certificate")
    with page.expect_download() as download:
        link.click()
    text = download.value.path().read_bytes()
    assert text.startswith(b"[PRIMO - Primality Certificate]")
    assert str(link.get_attribute("href")) == f"/certificates/{hashlib.sha256(text).hexdigest()}"


def test_a_small_prime_gets_a_certificate_on_demand(page: Page) -> None:
    page.get_by_label("Certificates for small ones too").check()
    expect(page.get_by_label("Prove large primes")).to_be_checked()
    ask(page, "97")
    wait_answered(page, 1)
    expect(row(page, "97")).to_contain_text("✓ Checked here Its certificate holds.")
