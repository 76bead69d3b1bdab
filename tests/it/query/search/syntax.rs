//! What can be searched for, and what is rejected.
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestCaseResult, TestRunner},
};
use serde_json::json;
use tokio::runtime::Runtime;

use super::{ask, encoded, hits, said, texts};
use crate::support::app::TestApp;

#[tokio::test]
async fn words_phrases_alternatives_and_exclusions() {
    let app = TestApp::start().await;
    let id = said(
        &app,
        json!({}),
        texts(&[
            "I would like to cancel my account.",
            "The account of my colleague was cancelled.",
            "A refund for my account, please.",
            "Thank you for calling.",
        ]),
    )
    .await;
    let found = async |q: &str| {
        let mut seqs: Vec<_> = hits(&app, &[("q", q)]).await.into_iter().map(|hit| hit.1).collect();
        seqs.sort_unstable();
        seqs
    };
    for (q, expected) in [
        ("account", &[0, 1, 2][..]),
        ("ACCOUNTS cancelling", &[0, 1]),
        ("\"cancel my account\"", &[0]),
        ("\"my account cancel\"", &[]),
        ("\"cancel my account", &[0]),
        ("refund or cancel", &[0, 1, 2]),
        ("account -cancel", &[2]),
        ("account -\"cancel my account\"", &[1, 2]),
        ("refund or call -account", &[2, 3]),
        ("the account", &[0, 1, 2]),
        ("refund & ! : * ( | <-> ' \\ account", &[2]),
        ("nowhere", &[]),
    ] {
        assert_eq!(found(q).await, expected, "{q}");
        let page =
            app.get(&format!("/v1/jobs/{id}/utterances?{}", encoded(&[("q", q)]))).await.json();
        let seqs = page["data"].as_array().unwrap().iter().map(|it| it["seq"].as_u64().unwrap());
        assert_eq!(seqs.collect::<Vec<_>>(), expected, "{q}");
    }
}

#[tokio::test]
async fn words_are_compared_as_in_the_language_of_the_job() {
    let app = TestApp::start().await;
    let lines = texts(&["Die Häuser laufen", "running houses", "chat noir des chats"]);
    let german = said(&app, json!({ "languageCode": "de-DE" }), lines.clone()).await;
    let english = said(&app, json!({ "languageCode": "EN" }), lines.clone()).await;
    let klingon = said(&app, json!({ "languageCode": "tlh" }), lines).await;
    let newest = [("sort", "-createdAt")];
    let found = async |q| hits(&app, &[("q", q), newest[0]]).await;
    assert_eq!(found("haus").await, [(german, 0)]);
    assert_eq!(found("run house").await, [(english, 1)]);
    assert_eq!(found("häuser").await, [(klingon, 0), (english, 0), (german, 0)]);
    assert_eq!(found("des").await, [(klingon, 2), (english, 2)], "a stop word in German");
    assert_eq!(found("the").await, [], "a stop word in English, a word elsewhere");
    assert_eq!(found("die").await, [(klingon, 0), (english, 0)]);
}

#[tokio::test]
async fn what_cannot_be_looked_for_is_refused() {
    let app = TestApp::start().await;
    let code = async |q: &str| {
        let problem = ask(&app, &[("q", q)]).await.problem(400, "invalid-parameter");
        assert_eq!(problem["errors"][0]["parameter"], "q", "{q}");
        problem["errors"][0]["code"].as_str().unwrap().to_owned()
    };
    for _ in 0..2 {
        assert_eq!(code("-refund").await, "exclusions");
        assert_eq!(code("refund or -account").await, "exclusions");
        assert_eq!(code("\"\" ! … \u{1}").await, "words");
        assert_eq!(code("").await, "empty");
        assert_eq!(code(&"ä".repeat(501)).await, "length");
        said(&app, json!({}), texts(&["refund"])).await;
    }
    assert_eq!(code("the of").await, "words", "where all jobs are English");
    assert_eq!(code("the -refund").await, "exclusions");
    assert_eq!(hits(&app, &[("q", &"ä".repeat(500))]).await, []);
    for query in [
        "",
        "?q=a&query=b",
        "?q=a&limit=0",
        "?q=a&limit=201",
        "?q=a&sort=createdAt",
        "?q=a&q=b",
        "?q=a%00",
        "?q=a&jobId=1",
        "?q=a&createdAfter=today",
    ] {
        app.get(&format!("/v1/search{query}")).await.problem(400, "invalid-parameter");
    }
}

fn runner(cases: u32) -> TestRunner {
    let cases = std::env::var("PROPTEST_CASES").map_or(cases, |text| text.parse().unwrap());
    TestRunner::new(Config {
        cases,
        max_shrink_iters: 200,
        failure_persistence: None,
        ..Config::default()
    })
}

#[test]
fn no_text_is_too_much() {
    let runtime = Runtime::new().unwrap();
    let app = runtime.block_on(async {
        let app = TestApp::start().await;
        said(&app, json!({ "languageCode": "de" }), texts(&["Haus"])).await;
        said(&app, json!({}), texts(&["house -or \"a b\""])).await;
        app
    });
    let case = |q: String| {
        let answer = runtime.block_on(ask(&app, &[("q", &q)]));
        prop_assert!([200, 400].contains(&answer.status.as_u16()), "{answer:?}");
        Ok(())
    };
    let piece = prop_oneof![
        "\\PC{0,8}",
        "[-\"'\\\\:*&|!()<> ]{1,4}",
        " or ",
        "house",
        "\\x01[A-Za-z]{8}",
        "[a-z]{1,9}[-./@][a-z]{1,9}",
        "(-or \")+",
        "[\u{0}-\u{1f}]{1,3}"
    ];
    let q = vec(piece, 0..20).prop_map(|pieces| pieces.concat());
    runner(200).run(&q, case).unwrap_or_else(|error| panic!("{error}"));
    // Every connection has been returned to the pool.
    runtime.block_on(async { assert_eq!(app.count("select 1::bigint").await, 1) });
}

/// A term of a query; several words form a phrase.
#[derive(Debug, Clone)]
struct Term {
    is_excluded: bool,
    words: Vec<&'static str>,
}

impl Term {
    fn fits(&self, text: &[&str]) -> bool {
        text.windows(self.words.len()).any(|part| part == self.words) != self.is_excluded
    }

    fn written(&self) -> String {
        let words = self.words.join(" ");
        let quoted = if self.words.len() > 1 { format!("\"{words}\"") } else { words };
        if self.is_excluded { format!("-{quoted}") } else { quoted }
    }
}

#[test]
fn random_searches_find_what_a_plain_comparison_finds() {
    let runtime = Runtime::new().unwrap();
    let app = runtime.block_on(TestApp::start());
    let word = || prop::sample::select(vec!["ka", "ki", "ku", "lo", "Da", "ö"]);
    let said_words = vec(vec(word(), 1..7), 1..30);
    let term = (any::<bool>(), vec(word(), 1..3))
        .prop_map(|(is_excluded, words)| Term { is_excluded, words });
    // Several alternatives, each of which matches if all its terms do.
    let query = vec(vec(term, 1..4), 1..3);
    let case = |(said_words, query)| runtime.block_on(compare(&app, said_words, query));
    runner(40).run(&(said_words, query), case).unwrap_or_else(|error| panic!("{error}"));
}

async fn compare(
    app: &TestApp,
    said_words: Vec<Vec<&'static str>>,
    query: Vec<Vec<Term>>,
) -> TestCaseResult {
    let lines: Vec<String> = said_words.iter().map(|words| words.join(", ")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let id = said(app, json!({ "languageCode": "tlh" }), texts(&lines)).await.to_string();
    let alternatives =
        query.iter().map(|terms| terms.iter().map(Term::written).collect::<Vec<_>>().join(" "));
    let q = alternatives.collect::<Vec<_>>().join(" or ");
    let answer =
        ask(app, &[("q", &q), ("jobId", &id), ("sort", "-createdAt"), ("limit", "200")]).await;
    if query.iter().any(|terms| terms.iter().all(|term| term.is_excluded)) {
        prop_assert_eq!(answer.status, 400, "{}", q);
        return Ok(());
    }
    let fits = |text: &[&str]| query.iter().any(|terms| terms.iter().all(|term| term.fits(text)));
    let expected: Vec<_> =
        (0..).zip(&said_words).filter(|(_, text)| fits(text)).map(|(seq, _)| seq).collect();
    let mut found: Vec<u64> = super::places(&answer.json()).into_iter().map(|hit| hit.1).collect();
    found.reverse();
    prop_assert_eq!(found, expected, "{}", q);
    Ok(())
}
