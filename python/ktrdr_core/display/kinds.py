"""The ways to show progress."""

#: auto: bars on a terminal, else plain lines. tty, plain, json: these whatever is there. none: not at all.
KINDS = ("auto", "tty", "plain", "json", "none")
