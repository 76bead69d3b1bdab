"""The queries that are empty in the run of check_live.py, and why. Any other must have data, and these must not."""

MAY_BE_EMPTY = {
    "Aftercall: Service / Errors by route / A": "no response is a 5xx",
    "Aftercall: Service / Responses by class / D": "no response is a 5xx",
}
