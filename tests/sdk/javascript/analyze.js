// Submits a recording with RingCentral's SDK, receives the webhook and checks the result.
const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const http = require('node:http');
const readline = require('node:readline');
const { SDK } = require('@ringcentral/sdk');

const ENDPOINT = '/ai/insights/v1/async/analyze-interaction';

/** Listens for deliveries; `next` resolves with the first. */
async function webhook() {
  let arrived;
  const next = new Promise((resolve) => { arrived = resolve; });
  const server = http.createServer((req, res) => {
    const chunks = [];
    req.on('data', (chunk) => chunks.push(chunk));
    req.on('end', () => {
      const token = req.headers['validation-token'];
      if (token) res.setHeader('Validation-Token', token);
      res.setHeader('Content-Type', 'application/json');
      res.statusCode = req.method === 'POST' ? 200 : 405;
      res.end();
      const body = Buffer.concat(chunks).toString();
      if (body) arrived({ url: req.url, body: JSON.parse(body) });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, next, address: `http://127.0.0.1:${server.address().port}/webhook?extId=1&session=2` };
}

function check({ url, body }, jobId) {
  assert.equal(url, '/webhook?extId=1&session=2');
  assert.equal(body.status, 'Success');
  assert.equal(body.jobId, jobId);
  const { utteranceInsights, speakerInsights, conversationalInsights } = body.response;
  assert.equal(utteranceInsights[0].speakerId, '0');
  assert.equal(speakerInsights.speakerCount, 2);
  const ratio = speakerInsights.insights.find(({ name }) => name === 'TalkToListenRatio').values[0].value;
  assert.match(ratio, /^6\d:3\d$/);
  const phrases = conversationalInsights.find(({ name }) => name === 'KeyPhrases').values;
  assert.ok(phrases.some(({ value }) => value === 'double charge'));
}

async function exercise(server, recording) {
  const hook = await webhook();
  try {
    const platform = new SDK({ server, clientId: 'sandbox-client', clientSecret: 'sandbox-secret' }).platform();
    await assert.rejects(platform.login({ jwt: 'wrong' }), (error) => error.response.status === 400);
    await platform.login({ jwt: 'sandbox-jwt' });
    const request = {
      contentUri: recording,
      encoding: 'Wav',
      languageCode: 'en-US',
      source: 'RingCentral',
      audioType: 'Meeting',
      insights: ['All'],
      enableVoiceActivityDetection: true,
      enablePunctuation: true,
      enableSpeakerDiarization: false,
    };
    const accepted = await platform.post(`${ENDPOINT}?webhook=${encodeURIComponent(hook.address)}`, request);
    assert.equal(accepted.status, 202);
    const { jobId } = await accepted.json();
    const delivery = await hook.next;
    check(delivery, jobId);
    const status = await (await platform.get(`/ai/status/v1/jobs/${jobId}`)).json();
    assert.deepEqual(status, delivery.body);

    const wrong = platform.post(`${ENDPOINT}?webhook=${encodeURIComponent(hook.address)}`, { encoding: 'Mp3' });
    await assert.rejects(wrong, (error) => error.response.status === 400);
    await platform.logout();
  } finally {
    hook.server.close();
  }
}

async function main(binary) {
  const sandbox = spawn(binary, ['sandbox', '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(sandbox, 'exit');
  try {
    const lines = readline.createInterface({ input: sandbox.stdout })[Symbol.asyncIterator]();
    const value = async () => (await lines.next()).value.split(': ')[1];
    await exercise(await value(), await value());
    console.log('javascript sdk: ok');
  } finally {
    sandbox.kill('SIGTERM');
  }
  const [code] = await ended;
  assert.equal(code, 0);
}

main(process.argv[2]).catch((error) => {
  console.error(error);
  process.exit(1);
});
setTimeout(() => { console.error('no result within 60 s'); process.exit(1); }, 60_000).unref();
