"""The operator's commands, a module a group: each parses its options, calls one function, and shows what that returns.

Exit codes: 0 done; 1 failed; 2 the call or the configuration is wrong; 3 done, and something needs a person;
130 interrupted, or declined.
"""
