"""What an operator looks at: progress while a command works, and an account of it at the end."""
