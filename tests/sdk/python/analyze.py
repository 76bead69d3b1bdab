"""Submits a recording with RingCentral's SDK, receives the webhook and checks the result."""
import json
import queue
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from ringcentral import SDK
from ringcentral.http.api_exception import ApiException

ENDPOINT = "/ai/insights/v1/async/analyze-interaction"
deliveries = queue.Queue()


class Webhook(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        token = self.headers.get("Validation-Token")
        if token:
            self.send_header("Validation-Token", token)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        if body:
            deliveries.put((self.path, json.loads(body)))

    def log_message(self, *_):
        pass


def payload(recording):
    return {
        "contentUri": recording,
        "encoding": "Wav",
        "languageCode": "en-US",
        "source": "RingCentral",
        "audioType": "Meeting",
        "insights": ["All"],
        "enableVoiceActivityDetection": True,
        "enablePunctuation": True,
        "enableSpeakerDiarization": False,
    }


def check(body, job_id):
    assert body["status"] == "Success", body
    assert body["jobId"] == job_id
    response = body["response"]
    assert response["utteranceInsights"][0]["speakerId"] == "0"
    assert response["speakerInsights"]["speakerCount"] == 2
    speakers = {insight["name"]: insight["values"] for insight in response["speakerInsights"]["insights"]}
    talk, listen = map(int, speakers["TalkToListenRatio"][0]["value"].split(":"))
    assert talk + listen == 100 and talk > listen, speakers["TalkToListenRatio"]
    assert speakers["QuestionsAsked"][1]["value"] == 2, speakers["QuestionsAsked"]
    conversation = {insight["name"]: insight["values"] for insight in response["conversationalInsights"]}
    phrases = {value["value"] for value in conversation["KeyPhrases"]}
    assert {"double charge", "fiber router"} <= phrases, phrases
    assert conversation["ExtractiveSummary"][0]["value"]


def main(binary):
    sandbox = subprocess.Popen([binary, "sandbox", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    try:
        server = sandbox.stdout.readline().split(": ", 1)[1].strip()
        recording = sandbox.stdout.readline().split(": ", 1)[1].strip()
        webhook = HTTPServer(("127.0.0.1", 0), Webhook)
        threading.Thread(target=webhook.serve_forever, daemon=True).start()
        # The SDK puts query values into the URL unescaped, so everything after an `&` must be escaped already.
        address = f"http://127.0.0.1:{webhook.server_port}/webhook?extId=1%26session=2"

        platform = SDK("sandbox-client", "sandbox-secret", server).platform()
        try:
            platform.login(jwt="wrong")
            raise AssertionError("a wrong JWT was taken")
        except ApiException as error:
            assert error.api_response().response().status_code == 400
        platform.login(jwt="sandbox-jwt")
        accepted = platform.post(ENDPOINT, payload(recording), {"webhook": address})
        assert accepted.response().status_code == 202
        job_id = accepted.json_dict()["jobId"]

        path, body = deliveries.get(timeout=60)
        assert path == "/webhook?extId=1&session=2", path
        check(body, job_id)
        status = platform.get(f"/ai/status/v1/jobs/{job_id}").json_dict()
        assert status == body

        try:
            platform.post(ENDPOINT, {"encoding": "Mp3"}, {"webhook": address})
            raise AssertionError("a wrong request was taken")
        except ApiException as error:
            errors = error.api_response().json_dict()["errors"]
            assert {item["parameterName"] for item in errors} == {"encoding", "contentUri"}, errors
        platform.logout()
        assert not platform.logged_in()
        print("python sdk: ok")
    finally:
        sandbox.terminate()
        sandbox.wait(timeout=30)
    assert sandbox.returncode == 0, sandbox.returncode


main(sys.argv[1])
