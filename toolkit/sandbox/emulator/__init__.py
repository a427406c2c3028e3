"""An emulator of Clerk: its Backend API, what is needed of its Frontend API, and a control API of its own."""
