"""An emulator of Clerk: the parts of its Backend and Frontend API that moving users and signing them in needs, and a
control API of its own. docs/emulator.md says what is real and what is not."""
