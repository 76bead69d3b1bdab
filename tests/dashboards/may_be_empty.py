"""The queries that are empty in the run of check_live.py, and why. Any other must have data, and these must not."""

MAY_BE_EMPTY = {
}
