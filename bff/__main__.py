"""`python -m bff --env NAME`: serve the runtime."""

if __name__ == "__main__":  # the processes that verify passwords read this file, too, and need nothing of it
    from bff.cli import main

    main()
