import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

webhook = Webhook(os.environ["WEBHOOK_SECRET"])
seen = set()  # in a database, in real life: unique, and kept for a few days


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            webhook.verify(body, dict(self.headers.items()))
        except WebhookVerificationError as error:
            return self.respond(400, str(error))
        id = self.headers["webhook-id"]
        if id not in seen:
            event = json.loads(body)
            print(event["type"], event["data"], flush=True)  # your work, or a job in your own queue
            seen.add(id)
        self.respond(204)

    def respond(self, status, text=""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
