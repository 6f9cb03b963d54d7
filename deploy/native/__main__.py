"""python -m deploy.native: see cli.py."""

from deploy.native.cli import main

if __name__ == "__main__":
    main()
