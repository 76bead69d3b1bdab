"""As much of PromQL as the checks need: which metrics an expression names, and what surrounds them."""
import re

from expressions import selectors

RATES = r"(rate|increase|irate|delta|idelta|deriv|changes|resets|\w+_over_time)"


def metrics(expression):
    """The names of the metrics in it."""
    return {name for name, _ in selectors(expression)}


def windows(expression):
    """Each function over a window, with the window."""
    return re.findall(RATES + r"\(\w+(?:\{[^}]*\})?\[([^]:]+)\]", expression)


def without_rates(expression):
    return re.sub(RATES + r"\(\w+(?:\{[^}]*\})?\[[^]]+\]\)", "0", expression)


def only_within(expression, metric, functions):
    """Whether each occurrence of the metric is inside one of these aggregations."""
    expression = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    expression = re.sub(r"\b(by|without)\s*\([^)]*\)\s*", "", expression)
    for occurrence in re.finditer(rf"(?<![\w:]){metric}(?![\w:])", expression):
        around, depth = [], 0
        for place in range(occurrence.start() - 1, -1, -1):
            if expression[place] == ")":
                depth += 1
            elif expression[place] == "(":
                if depth == 0:
                    around += re.findall(r"(\w+)\s*$", expression[:place])
                depth = max(depth - 1, 0)
        if not set(around) & set(functions):
            return False
    return True
