import assert from "node:assert/strict";
import { test } from "node:test";
import { likelyEncoding, likelyName, toRequest } from "../web/pages/jobs/recordings.js";

const OPTIONS = {
  tags: "",
  audioType: "",
  languageCode: "",
  speakers: "automatic",
  hasWordTimings: false,
  isAgain: false,
};
const media = (channels) => ({ id: "0199f0c2-a4b8-7c3e-9a4d-5e6f70819203", channels, encoding: "Wav" });
/** As JSON has it, which leaves out what is undefined. */
const request = (recording, options) =>
  JSON.parse(JSON.stringify(toRequest({ externalId: "", ...recording }, { ...OPTIONS, ...options })));

test("a recording has the name of its file", () => {
  assert.equal(likelyName("call-42.wav"), "call-42");
  assert.equal(likelyName("https://media.example/calls/a%20call.v2.mp3?sig=secret#x"), "a call.v2");
  assert.equal(likelyName("https://media.example/100%"), "100%");
  assert.equal(likelyName(".wav"), ".wav");
  assert.equal(likelyName(`${"x".repeat(300)}.wav`).length, 200);
});

test("the encoding is guessed from the name", () => {
  assert.equal(likelyEncoding("https://media.example/a.MP3?x=1.wav"), "Mpeg");
  assert.equal(likelyEncoding("https://media.example/a.m4a"), "Mp4");
  assert.equal(likelyEncoding("https://media.example/a"), "Wav");
});

test("a request has what was chosen and nothing else", () => {
  assert.deepEqual(request({ media: media(1) }), { media: media(1).id, dedupe: "media" });
  assert.deepEqual(
    request({ externalId: " call-1 ", url: "https://a.example/b.mp3", encoding: "Mpeg" }, { isAgain: true }),
    {
      contentUri: "https://a.example/b.mp3",
      encoding: "Mpeg",
      externalId: "call-1",
    },
  );
  const all = {
    tags: "a, b,,a ",
    audioType: "Meeting",
    languageCode: "en-GB",
    speakers: "voices",
    hasWordTimings: true,
  };
  assert.deepEqual(request({ media: media(2) }, all), {
    media: media(2).id,
    tags: ["a", "b"],
    audioType: "Meeting",
    languageCode: "en-GB",
    enableSpeakerDiarization: true,
    enableWordTimings: true,
    dedupe: "media",
  });
});

test("two channels are two speakers, unless the reader says otherwise", () => {
  assert.equal(request({ media: media(2) }).separateSpeakerPerChannel, true);
  assert.equal(request({ media: media(1) }).separateSpeakerPerChannel, undefined);
  assert.equal(request({ url: "https://a.example/b.wav" }).separateSpeakerPerChannel, undefined);
  assert.equal(request({ url: "https://a.example/b.wav" }, { speakers: "channels" }).separateSpeakerPerChannel, true);
});
