"""Entry point of ``python -m gistmill``, same as the console command."""

from gistmill.cli.main import main

if __name__ == "__main__":
    main()
