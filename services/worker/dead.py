"""Lists, retries and deletes dead letters: `python -m services.worker.dead`."""

from services.dead.__main__ import main

if __name__ == "__main__":
    main()
