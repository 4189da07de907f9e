"""`python -m tribute` is `tribute`."""

from tribute.cli import main

if __name__ == "__main__":
    main()
