"""What an operator sees: progress while a command works, and a summary at its end."""
