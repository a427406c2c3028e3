"""The runtime that the GUI talks to: login, signup, second factor and password flows."""
