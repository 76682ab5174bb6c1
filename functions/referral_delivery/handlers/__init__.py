"""Lambda entry points: parse, call one function, report."""
