"""What a PromQL expression selects."""

import re

WORDS = {"and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right", "offset", "bool"}
STRING = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"
TOKEN = re.compile(
    rf"(?P<string>{STRING})"
    r"|(?P<range>\[[^\]]*\])"
    r"|(?P<name>[a-zA-Z_:][\w:]*)"
    r"|(?P<number>\d[\w.]*)"
    rf"|(?P<matchers>\{{(?:[^\"'}}]|{STRING})*\}})"
    r"|(?P<other>\S)"
)


def selectors(expr):
    """Pairs of metric and matchers ("" or "{…}"), in order, each once."""
    tokens = [(m.lastgroup, m.group()) for m in TOKEN.finditer(expr)]
    found, labels = [], False
    for at, (kind, text) in enumerate(tokens):
        after = tokens[at + 1] if at + 1 < len(tokens) else (None, "")
        if labels:  # between the parentheses of by (…), on (…), …
            labels = text != ")"
        elif kind == "name" and text in WORDS:
            labels = after[1] == "("
        elif kind == "name" and after[1] not in ("(", "by", "without"):
            found.append((text, after[1] if after[0] == "matchers" else ""))
    return list(dict.fromkeys(found))
