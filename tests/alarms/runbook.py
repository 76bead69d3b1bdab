"""Checks that the aftercall commands of docs/runbook.md exist, with their options. Usage: runbook.py <binary>"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def main(binary):
    text = (ROOT / "docs/runbook.md").read_text()
    code = re.findall(r"```sh\n(.*?)```", text, re.S) + re.findall(r"`([^`\n]+)`", text)
    commands = {match for span in code for match in re.findall(r"(?m)(?:^|\$\()aftercall( [a-z][^#|)\n]*)", span)}
    wrong = []
    for command in sorted(commands):
        words = command.split()
        names = [word for word in words[: 2 if words[0] in ("keys", "config") else 1] if word.isalpha()]
        told = subprocess.run([binary, *names, "--help"], capture_output=True, text=True)
        if told.returncode != 0:
            wrong.append(f"there is no aftercall {' '.join(names)}")
        wrong += [f"aftercall {' '.join(names)} has no {it}" for it in words if it[:2] == "--" and it not in told.stdout]
    paths = json.loads((ROOT / "docs/openapi.json").read_text())["paths"]
    requests = re.findall(r"\b(GET|POST|DELETE) (/v1/[\w/{}.-]+)", text) + [
        ("GET", path) for path in re.findall(r"\$API(/v1/[\w/{}.-]+)", text)
    ]
    for method, path in dict.fromkeys(requests):
        if method.lower() not in paths.get(path, {}):
            wrong.append(f"the API has no {method} {path}")
    print("\n".join(wrong), end="\n" if wrong else "")
    print(f"the runbook has {len(commands)} aftercall commands and {len(set(requests))} requests, {len(wrong)} violations")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main(sys.argv[1])
