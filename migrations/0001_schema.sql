-- Everything Aftercall stores lives in one schema of its own; `reporting` is for dashboards.
create schema aftercall;
