// Results as the provider would send them, for calls that no one has recorded.
import { random } from "./random.js";

const OPENINGS = ["Well,", "So", "Actually,", "I think", "As I said,", "To be honest,", "From what I see,", "Next,"];
const SUBJECTS = [
  "the invoice",
  "our warehouse in Łódź",
  "the fiber router",
  "this contract",
  "the café downstairs",
  "your delivery",
  "the refund",
];
const VERBS = [
  "was billed twice",
  "arrives on Thursday",
  "needs a new router",
  "has been replaced",
  "is still open",
  "looks better than before",
];
const ENDINGS = [
  "and nobody told us.",
  "so I would like to know more.",
  "which is what we agreed on.",
  "isn't it?",
  "that is all.",
  "I will send it today.",
];
const EMOTIONS = [
  "Neutral",
  "Neutral",
  "Neutral",
  "Neutral",
  "Joy",
  "Anger",
  "Sadness",
  "Surprise",
  "Trust",
  "Anticipation",
];

/** Seconds, as the provider rounds them. */
const rounded = (seconds) => Math.round(seconds * 100) / 100;

/** Words spread evenly over an utterance. */
export function timed(text, start, end) {
  const words = text.split(" ");
  const each = (end - start) / words.length;
  return words.map((word, index) => ({
    word,
    start: rounded(start + index * each),
    end: rounded(start + (index + 1) * each),
  }));
}

/**
 * A conversation of three people, with pauses, overlaps, monologues, and insights of every kind. The same seed gives the same call.
 * @param {{ seed?: number, utterances?: number, seconds?: number }} [options]
 */
export function longCall({ seed = 1, utterances: count = 12_000, seconds = 10_800 } = {}) {
  const next = random(seed);
  const pick = (list) => list[Math.floor(next() * list.length)];
  const step = seconds / count;
  let speaker = 0;
  const utteranceInsights = Array.from({ length: count }, (_, index) => {
    if (next() < 0.3) speaker = (speaker + 1 + Math.floor(next() * 2)) % 3;
    const start = rounded((index + next() * 0.3) * step);
    const end = rounded(start + step * (next() < 0.03 ? 1.8 : 0.5 + next() * 0.25));
    const sentence =
      next() < 0.15
        ? `${pick(OPENINGS)} ${pick(SUBJECTS)} ${pick(VERBS)}, ${pick(ENDINGS)}`
        : `${pick(SUBJECTS)} ${pick(VERBS)}.`;
    const text = sentence[0].toUpperCase() + sentence.slice(1);
    return {
      start,
      end,
      text: index === Math.floor(count * 0.9) ? `The lighthouse is blue. ${text}` : text,
      confidence: rounded(0.6 + next() * 0.4),
      speakerId: String(speaker),
      wordTimings: timed(text, start, end),
      insights: [{ name: "Emotion", value: pick(EMOTIONS), confidence: 0.7 }],
    };
  });
  return { utteranceInsights, ...insightsOf(utteranceInsights) };
}

/** Insights into a conversation that follow from its utterances. */
function insightsOf(utterances) {
  const every = (n) => utterances.filter((_, index) => index % n === n - 1);
  const told = ({ start, end, text, speakerId }, more = {}) => ({
    value: text,
    start,
    end,
    confidence: 0.8,
    speakerId,
    ...more,
  });
  const ids = [...new Set(utterances.map(({ speakerId }) => speakerId))];
  const of = (id) => utterances.filter(({ speakerId }) => speakerId === id);
  const long = every(500).map(({ end }, index) => ({
    value: `Part ${index + 1}: they talk about the invoice, the router and the refund.`,
    start: rounded(Math.max(0, end - 400)),
    end,
    confidence: 0.6,
    groupId: String(index),
  }));
  const phrases = every(20).map(({ start, end }, index) => ({
    value: SUBJECTS[index % SUBJECTS.length],
    start,
    end,
    confidence: 0.9,
  }));
  return {
    speakerInsights: {
      speakerCount: ids.length,
      insights: [
        { name: "Energy", values: ids.map((speakerId, index) => ({ speakerId, value: 60 + index * 7.5 })) },
        { name: "Pace", values: ids.map((speakerId) => ({ speakerId, value: "medium", wordsPerMinute: 150.5 })) },
        { name: "TalkToListenRatio", values: ids.map((speakerId) => ({ speakerId, value: "33:67" })) },
        {
          name: "QuestionsAsked",
          values: ids.map((speakerId) => {
            const asked = of(speakerId).filter(({ text }, index) => text.includes("?") && index % 10 === 0);
            const questions = asked.map(({ text, start, end }) => ({ text, start, end }));
            return { speakerId, value: questions.length, questions };
          }),
        },
      ],
    },
    conversationalInsights: [
      {
        name: "AbstractiveSummaryShort",
        values: [
          {
            value: "Three people talk for hours about invoices.",
            start: 0,
            end: utterances.at(-1).end,
            confidence: 0.6,
          },
        ],
      },
      { name: "AbstractiveSummaryLong", values: long },
      { name: "ExtractiveSummary", values: every(600).map((said) => told(said)) },
      {
        name: "Topics",
        values: SUBJECTS.map((value, index) => ({ value, start: index * 60, end: index * 60 + 30, confidence: 0.9 })),
      },
      {
        name: "Tasks",
        values: every(300).map((said) => told(said, { assignee: said.speakerId, category: "NextStep" })),
      },
      { name: "KeyPhrases", values: phrases },
    ],
  };
}

/** Texts that a careless page would run, turn around, or be torn apart by. */
export const HOSTILE = [
  `<img src=x onerror="document.title='hacked'"><script>document.title="hacked"</script>`,
  `</p></article><style>body{display:none}</style>&lt;b&gt; &amp; "quotes" 'single' \`ticks\` \${1+1} {{1+1}}`,
  "שלום, אני מתקשר בקשר לחשבונית 4471 (כפולה)!",
  "Right to left \u202e override, isolate \u2067 never closed, and \u200f marks",
  "x".repeat(10_000),
  "👩‍👩‍👧‍👦👍🏽🇺🇦 e\u0301\u0301\u0301\u0301 Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘ 🙂",
  "nul \u0000 and other \u0007 controls \u001b[31m, a tab\t, and a\nnew line",
  "javascript:alert(1)",
  "__proto__",
  "漢字かな交じり文でとても長い一文が続きますので折り返しが必要です。".repeat(8),
  "closes \u2069\u2069 more than it opened \u202e",
];

/** A call in which every text that comes from outside is hostile: what is said, ids, emotions, names and values of insights. */
export function hostileCall() {
  const ids = ["<b>0</b>", "__proto__", HOSTILE[2], "y".repeat(300)];
  const utteranceInsights = HOSTILE.map((text, index) => ({
    start: index * 3,
    end: index * 3 + 2.5,
    text,
    confidence: 0.5,
    speakerId: ids[index % ids.length],
    wordTimings: timed(text, index * 3, index * 3 + 2.5),
    insights: [{ name: "Emotion", value: HOSTILE[(index * 3) % HOSTILE.length], confidence: 0.7 }],
  }));
  const values = HOSTILE.map((value, index) => ({
    value,
    start: index * 3,
    end: index * 3 + 1,
    confidence: 0.5,
    speakerId: ids[index % ids.length],
    assignee: HOSTILE[index],
    category: HOSTILE[index],
  }));
  const names = [
    "AbstractiveSummaryShort",
    "AbstractiveSummaryLong",
    "ExtractiveSummary",
    "Topics",
    "Tasks",
    "KeyPhrases",
    HOSTILE[0],
    HOSTILE[2],
  ];
  const questions = HOSTILE.map((text, index) => ({ text, start: index * 3, end: index * 3 + 1 }));
  return {
    utteranceInsights,
    speakerInsights: {
      speakerCount: ids.length,
      insights: [
        { name: "QuestionsAsked", values: ids.map((speakerId) => ({ speakerId, value: questions.length, questions })) },
        {
          name: "Energy",
          values: ids.map((speakerId, index) => ({ speakerId, value: index === 0 ? HOSTILE[0] : 50 })),
        },
        { name: HOSTILE[1], values: ids.map((speakerId) => ({ speakerId, value: HOSTILE[4] })) },
      ],
    },
    conversationalInsights: names.map((name) => ({ name, values })),
  };
}

/**
 * A recording of a call: a tone of its own for each speaker while they talk, in one channel per speaker.
 * @param {{ start: number, end: number, speakerId: string }[]} utterances
 * @param {number} channels
 * @returns {Buffer} a WAV file
 */
export function recordingOf(utterances, channels) {
  const RATE = 4000;
  const frames = Math.ceil(Math.max(...utterances.map(({ end }) => end)) * RATE);
  const samples = Buffer.alloc(frames * channels, 128);
  const ids = [...new Set(utterances.map(({ speakerId }) => speakerId))];
  for (const { start, end, speakerId } of utterances) {
    const place = ids.indexOf(speakerId);
    const turns = ((180 + 60 * place) * 2 * Math.PI) / RATE;
    const from = Math.floor(start * RATE);
    const to = Math.min(frames, Math.floor(end * RATE));
    for (let frame = from; frame < to; frame++) {
      // Syllables, four a second, each with a beginning and an end.
      const loud = 90 * Math.abs(Math.sin((frame / RATE) * 4 * Math.PI)) * (0.6 + 0.4 * Math.sin(start));
      samples[frame * channels + (place % channels)] = 128 + Math.round(loud * Math.sin(frame * turns));
    }
  }
  const head = Buffer.alloc(44);
  head.write("RIFF", 0);
  head.writeUInt32LE(36 + samples.length, 4);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(channels, 22);
  head.writeUInt32LE(RATE, 24);
  head.writeUInt32LE(RATE * channels, 28);
  head.writeUInt16LE(channels, 32);
  head.writeUInt16LE(8, 34);
  head.write("data", 36);
  head.writeUInt32LE(samples.length, 40);
  return Buffer.concat([head, samples]);
}
