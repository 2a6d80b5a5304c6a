"""What every refusal is like, whoever reads what was refused."""

MOST = 300  # characters


def check_sentence(error: Exception) -> None:
    """It is shown to people as it is: short, and of characters that can be printed."""
    assert str(error).isprintable() and len(str(error)) <= MOST
