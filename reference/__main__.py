"""Writes docs/limits.md, docs/metrics.md and docs/settings.md: `python -m reference`, or `make reference`."""

from pathlib import Path

from reference import limits, metrics, settings

DOCS = Path(__file__).parents[1] / "docs"


def main() -> None:
    """Write the pages."""
    (DOCS / "limits.md").write_text(limits.page())
    (DOCS / "metrics.md").write_text(metrics.page())
    (DOCS / "settings.md").write_text(settings.page())


if __name__ == "__main__":
    main()
