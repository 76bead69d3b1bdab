// Colors of emotions.

const EMOTIONS = ["anger", "anticipation", "disgust", "fear", "joy", "neutral", "sadness", "surprise", "trust"];

/** The custom property of an emotion's color. @param {string} emotion */
export function emotionColor(emotion) {
  const name = emotion.toLowerCase();
  return EMOTIONS.includes(name) ? `--emotion-${name}` : "--muted";
}
