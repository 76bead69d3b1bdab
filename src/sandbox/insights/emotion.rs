//! The emotion of an utterance: the one with the most lexicon words in it, otherwise Neutral.
use serde_json::{Value, json};

/// The names are the provider's, the words ours. On a tie the first wins, so strong emotions precede weak ones.
const LEXICON: &[(&str, &[&str])] = &[
    (
        "Anger",
        &[
            "angry",
            "annoyed",
            "annoying",
            "frustrated",
            "frustrating",
            "furious",
            "outrageous",
            "unacceptable",
        ],
    ),
    ("Fear", &["afraid", "anxious", "nervous", "scared", "worried", "worry"]),
    ("Disgust", &["awful", "disgusting", "gross", "horrible", "terrible"]),
    ("Sadness", &["disappointed", "regret", "sad", "sorry", "unfortunately", "unhappy"]),
    (
        "Surprise",
        &["amazing", "shocked", "surprise", "surprised", "unbelievable", "unexpected", "wow"],
    ),
    (
        "Joy",
        &[
            "delighted",
            "excellent",
            "fantastic",
            "glad",
            "great",
            "happy",
            "love",
            "perfect",
            "wonderful",
        ],
    ),
    ("Trust", &["agree", "certain", "confident", "promise", "reliable", "rely", "trust"]),
    ("Anticipation", &["await", "expect", "hope", "hopefully", "looking", "soon", "waiting"]),
];

/// The insight `Emotion`. The confidence is (h+1)/(m+2) for h winning words out of m lexicon words.
pub fn of(text: &str) -> Value {
    let words: Vec<String> =
        text.split(|c: char| !c.is_alphabetic() && c != '\'').map(str::to_lowercase).collect();
    let hits = |lexicon: &[&str]| words.iter().filter(|w| lexicon.contains(&w.as_str())).count();
    let mut best = ("Neutral", 0);
    let mut all = 0;
    for (name, lexicon) in LEXICON {
        let hits = hits(lexicon);
        all += hits;
        if hits > best.1 {
            best = (name, hits);
        }
    }
    let confidence = super::super::number::of(best.1 + 1) / super::super::number::of(all + 2);
    let confidence = super::super::number::rounded(confidence, 2);
    json!({ "name": "Emotion", "value": best.0, "confidence": confidence })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_emotion_wins_and_no_word_means_neutral() {
        assert_eq!(of("The invoice is here.")["value"], "Neutral");
        assert_eq!(of("The invoice is here.")["confidence"], 0.5);
        let joy = of("Wonderful, I'm so GLAD, though sorry it took long");
        assert_eq!((&joy["value"], &joy["confidence"]), (&json!("Joy"), &json!(0.6)));
    }
}
