//! The words of the library: made-up words, common ones often and rare ones seldom, plus a few real words at known
//! rates. No stemmer changes any of them, so their lexemes are known in advance.
use std::{collections::BTreeMap, fmt::Write as _};

/// Words with their rate: each occurs in one of so many utterances.
pub const PLANTED: [(&str, usize); 4] =
    [("refund", 10), ("parcel", 100), ("walrus", 1_000), ("turbot lagoon", 50_000)];
/// Number of distinct words, as a power of two.
const LEXICON_BITS: usize = 14;

/// A pseudo-random generator (`SplitMix64`).
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u32) -> Self {
        // Consecutive seeds would otherwise produce mostly the same numbers, shifted.
        let first = Self(u64::from(seed).wrapping_mul(0xd1b5_4a32_d192_ed03)).next();
        Self(first)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(1);
        usize::try_from(self.next() % end).unwrap_or_default()
    }

    /// Favors small ranks, roughly like word frequencies (Zipf): each power of two is equally likely.
    fn rank(&mut self) -> usize {
        let bits = self.below(LEXICON_BITS);
        (1 << bits) - 1 + self.below(1 << bits)
    }
}

/// An utterance: its text, its lexemes as a tsvector, and its word count. `scope` is the lexeme of the caller and
/// English.
pub fn said(chance: &mut Chance, scope: &str) -> (String, String, usize) {
    let mut text = String::new();
    for _ in 0..6 + chance.below(10) {
        let rank = chance.rank();
        push(&mut text, &word(rank));
    }
    for (planted, one_in) in PLANTED {
        if chance.below(one_in) == 0 {
            push(&mut text, planted);
        }
    }
    let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, word) in text.split(' ').enumerate() {
        places.entry(word).or_default().push(place + 1);
    }
    let mut fts = format!("'{scope}'");
    for (word, places) in &places {
        let places: Vec<String> = places.iter().map(usize::to_string).collect();
        let _ = write!(fts, " '{word}':{}", places.join(","));
    }
    let words = text.split(' ').count();
    (text, fts, words)
}

fn push(text: &mut String, word: &str) {
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(word);
}

/// Ends in `k`, which is not part of any English suffix.
fn word(mut rank: usize) -> String {
    const BEGINNINGS: [&str; 16] = [
        "ba", "de", "fi", "go", "ju", "la", "me", "ni", "po", "ru", "sa", "te", "vi", "wo", "zu",
        "ka",
    ];
    let mut word = String::new();
    loop {
        word.push_str(BEGINNINGS[rank % BEGINNINGS.len()]);
        rank /= BEGINNINGS.len();
        if rank == 0 {
            break;
        }
    }
    word + "k"
}
