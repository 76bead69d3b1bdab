"""Has the service send messages to each receiver, and sends it some that it must refuse."""
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request

RECEIVERS = {"Python": ["python", "receiver.py"], "JavaScript": ["node", "receiver.js"], "Rust": ["./receiver"]}


def api(method, path, body=None):
    headers = {"Authorization": f"Bearer {os.environ['AFTERCALL_KEY']}"}
    data = None
    if body is not None:
        data = json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
    request = urllib.request.Request(os.environ["AFTERCALL_API"] + path, data, headers, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def refused(port, headers):
    body = b'{"type":"job.completed","data":{}}'
    request = urllib.request.Request(f"http://127.0.0.1:{port}/hook", body, headers, method="POST")
    try:
        urllib.request.urlopen(request)
    except urllib.error.HTTPError as error:
        return error.code == 400
    return False


def tested(endpoint):
    """The outcome of a test; a receiver that is still starting is given time."""
    until = time.monotonic() + 60
    while True:
        outcome = api("POST", f"/v1/endpoints/{endpoint}/test")
        if not outcome["error"] or time.monotonic() > until:
            return outcome
        time.sleep(0.1)


for language, command in RECEIVERS.items():
    port = free_port()
    endpoint = api("POST", "/v1/endpoints", {"url": f"http://127.0.0.1:{port}/hook"})
    environment = os.environ | {"WEBHOOK_SECRET": endpoint["secret"]}
    receiver = subprocess.Popen([*command, str(port)], env=environment)
    try:
        outcome = tested(endpoint["id"])
        assert outcome["succeeded"] and outcome["status"] == 204, (language, outcome)
        forged = {"webhook-id": "msg_1", "webhook-timestamp": str(int(time.time()))}
        forged["webhook-signature"] = "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="
        assert refused(port, forged), f"the receiver in {language} accepts a forged signature"
        assert refused(port, {}), f"the receiver in {language} accepts a message without a signature"
        api("POST", f"/v1/endpoints/{endpoint['id']}/rotate")
        outcome = tested(endpoint["id"])
        assert outcome["succeeded"], (language, "while the secret is rotated", outcome)
        api("POST", f"/v1/endpoints/{endpoint['id']}/rotate", {"keepPrevious": False})
        outcome = tested(endpoint["id"])
        assert outcome["status"] == 400, (language, "with another secret", outcome)
        print(f"{language}: verified, and refused what was forged")
    finally:
        receiver.terminate()
        receiver.wait()
