//! The files of the console: what browsers may keep, and what they are told to allow.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use flate2::read::GzDecoder;

use super::{Browser, Said};
use crate::support::app::TestApp;

fn web() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/console/web")
}

/// Names and contents of what the page loads: all files but index.html, the stylesheets as one.
fn assets() -> Vec<(String, Vec<u8>)> {
    let (styles, mut assets): (Vec<_>, Vec<_>) =
        files(&web()).into_iter().partition(|(name, _)| name.rsplit_once('.').unwrap().1 == "css");
    let index = fs::read_to_string(web().join("index.html")).unwrap();
    let place = |name: &String| index.find(name.as_str()).unwrap();
    let styles: BTreeMap<_, _> =
        styles.iter().map(|(name, content)| (place(name), content.as_slice())).collect();
    assets.push(("style.css".to_owned(), styles.into_values().collect::<Vec<_>>().join(&b'\n')));
    assets
}

/// Names and contents of all files but index.html.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if !path.ends_with("index.html") {
            let name = path.strip_prefix(web()).unwrap().to_str().unwrap().to_owned();
            found.push((name, fs::read(&path).unwrap()));
        }
    }
    found
}

async fn encoded(browser: &Browser, path: &str, encodings: &str) -> Said {
    let request = browser.request("GET", path).header("accept-encoding", encodings);
    Said::of(request.send().await.unwrap()).await
}

fn decoded(said: &Said) -> Vec<u8> {
    let mut plain = Vec::new();
    match said.headers.get("content-encoding").map(|it| it.to_str().unwrap()) {
        None => plain.clone_from(&said.body),
        Some("gzip") => {
            GzDecoder::new(&said.body[..]).read_to_end(&mut plain).unwrap();
        }
        Some("br") => brotli::BrotliDecompress(&mut &said.body[..], &mut plain).unwrap(),
        Some(other) => panic!("{other}"),
    }
    plain
}

/// Where the page finds the assets, with the hash over them.
async fn base(browser: &Browser) -> String {
    let page = browser.get("/console/").await.text();
    let (_, rest) = page.split_once("/console/assets/").unwrap();
    let (hash, _) = rest.split_once('/').unwrap();
    assert!(hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
    format!("/console/assets/{hash}")
}

#[tokio::test]
async fn every_file_is_served_in_the_smallest_form_that_is_accepted() {
    let app = TestApp::start().await;
    let browser = Browser::at(&app);
    let base = base(&browser).await;
    let mut sizes = [0; 3];
    for (name, content) in assets() {
        let path = format!("{base}/{name}");
        let forms = [
            encoded(&browser, &path, "identity").await,
            encoded(&browser, &path, "gzip, deflate").await,
            encoded(&browser, &path, "gzip, deflate, br, zstd").await,
        ];
        let mut tags = BTreeSet::new();
        let ending = name.rsplit_once('.').unwrap().1;
        for (form, size) in forms.iter().zip(&mut sizes) {
            assert_eq!(form.status, 200, "{path}");
            assert!(is_the_same(&name, &decoded(form), &content), "{name}: {:?}", form.headers);
            assert_eq!(form.header("cache-control"), "public, max-age=31536000, immutable");
            assert_eq!(form.header("vary"), "accept-encoding");
            assert_eq!(form.header("x-content-type-options"), "nosniff");
            tags.insert((form.header("etag").to_owned(), form.body.len()));
            // No page loads the licenses.
            *size += if ending == "txt" { 0 } else { form.body.len() };
        }
        let forms: BTreeSet<_> = tags.iter().map(|(_, length)| length).collect();
        assert_eq!(tags.len(), forms.len(), "each form has a tag of its own: {tags:?}");
        let kind = match ending {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            "txt" => "text/plain; charset=utf-8",
            other => panic!("{other}"),
        };
        assert_eq!(forms_type(&browser, &path).await, kind, "{name}");
    }
    let [plain, gzip, brotli] = sizes;
    assert!(brotli < gzip && gzip < plain, "{sizes:?}");
    assert!(brotli <= 150 << 10, "the console has grown to {brotli} bytes");
}

/// Our own scripts and styles are served without comments, types and indentation: with every line of code, and no other.
fn is_the_same(name: &str, served: &[u8], file: &[u8]) -> bool {
    let ending = name.rsplit_once('.').unwrap().1;
    if name.starts_with("vendor/") || !matches!(ending, "js" | "css") {
        return served == file;
    }
    let (served, file) = (std::str::from_utf8(served).unwrap(), std::str::from_utf8(file).unwrap());
    let mut left = served.lines();
    let mut next = left.next();
    for line in file.lines() {
        let code = &without_types(line.trim());
        let is_whole = next == Some(code);
        if is_whole || next.is_some_and(|next| code.starts_with("/*") && code.ends_with(next)) {
            next = left.next();
        } else if !(code.is_empty() || code.starts_with(['/', '*'])) {
            return false;
        }
    }
    next.is_none()
}

/// The line without the comments within it that say types.
fn without_types(line: &str) -> String {
    let Some((before, comment)) = line.split_once("/** @") else { return line.to_owned() };
    let Some((_, after)) = comment.split_once("*/ ") else { return line.to_owned() };
    before.to_owned() + &without_types(after)
}

async fn forms_type(browser: &Browser, path: &str) -> String {
    browser.get(path).await.header("content-type").to_owned()
}

#[tokio::test]
async fn an_asset_that_has_not_changed_is_not_sent_again_and_head_sends_none() {
    let app = TestApp::start().await;
    let browser = Browser::at(&app);
    let path = format!("{}/app.js", base(&browser).await);
    let first = browser.get(&path).await;
    let request = browser.request("GET", &path).header("if-none-match", first.header("etag"));
    let again = Said::of(request.send().await.unwrap()).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(again.header("vary"), "accept-encoding");
    assert_eq!(again.header("cache-control"), first.header("cache-control"));
    let head = Said::of(browser.request("HEAD", &path).send().await.unwrap()).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), first.body.len().to_string());
    let changed = browser.request("GET", &path).header("if-none-match", "\"0000-identity\"");
    assert_eq!(changed.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn every_page_is_index_html_which_is_never_kept() {
    let app = TestApp::start().await;
    let browser = Browser::at(&app);
    let index = fs::read_to_string(web().join("index.html")).unwrap();
    let base = base(&browser).await;
    let (before, styles) = index.split_once("/console/assets/vendor/uplot.css").unwrap();
    let (_, after) = styles.rsplit_once(".css").unwrap();
    let index = format!("{before}/console/assets/style.css{after}");
    let index = index.replace("/console/assets", &base);
    let id = "0199f0c2-a4b8-7c3e-9a4d-5e6f70819203";
    for path in ["", "jobs", &format!("jobs/{id}"), "operations/keys", "sign-in", "no/such/page"] {
        let page = encoded(&browser, &format!("/console/{path}"), "br, gzip").await;
        assert_eq!((page.status, page.header("content-encoding")), (200, "br"), "{path}");
        let page_text = String::from_utf8(decoded(&page)).unwrap();
        assert_eq!(without_preloads(&page_text), without_preloads(&index), "{path}");
        assert_eq!(page.header("cache-control"), "no-store");
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    }
    let outside = browser.get("/console").await;
    assert_eq!((outside.status, outside.header("location")), (307, "/console/"));
    let posted = browser.send("POST", "/console/jobs", &"".into()).await;
    posted.problem(405, "method-not-allowed");
}

/// What pages differ in.
fn without_preloads(page: &str) -> String {
    page.lines().filter(|line| !line.contains("modulepreload")).collect()
}

#[tokio::test]
async fn what_is_no_asset_is_not_found() {
    let app = TestApp::start().await;
    let browser = Browser::at(&app);
    let base = base(&browser).await;
    for path in [
        "/console/assets/",
        "/console/assets/app.js",
        "/console/assets/0123456789abcdef/app.js",
        &base,
        &format!("{base}/"),
        &format!("{base}/no.js"),
        &format!("{base}/index.html"),
        &format!("{base}/lib/..%2Fapp.js"),
    ] {
        browser.get(path).await.problem(404, "no-such-route");
    }
}

#[tokio::test]
async fn browsers_are_told_to_allow_nothing_else() {
    let app = TestApp::start().await;
    let browser = Browser::at(&app);
    let asset = format!("{}/app.js", base(&browser).await);
    for path in
        ["/console", "/console/", "/console/jobs", "/console/session", &asset, "/console/assets/"]
    {
        let said = browser.get(path).await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(said.header("content-security-policy"), @"default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'");
        }
        assert_eq!(said.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(said.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(said.header("cross-origin-opener-policy"), "same-origin", "{path}");
        assert_eq!(said.header("cross-origin-resource-policy"), "same-origin", "{path}");
        assert!(said.header("permissions-policy").contains("microphone=()"), "{path}");
    }
    let page = browser.get("/console/").await.text();
    assert!(!page.contains("style=") && !page.contains("<style"), "{page}");
    let scripts = page.split("<script").skip(1).map(|it| it.split_once('>').unwrap());
    for (attributes, rest) in scripts {
        assert!(attributes.contains("src=\"/console/assets/"), "{attributes}");
        assert!(rest.starts_with("</script>"), "an inline script: {rest}");
    }
}

#[tokio::test]
async fn a_console_that_is_off_does_not_exist() {
    let app = TestApp::with(|settings| settings.console.enabled = false).await;
    let on = TestApp::start().await;
    let browser = Browser::at(&app);
    let asset = format!("{}/app.js", base(&Browser::at(&on)).await);
    for path in ["/console", "/console/", "/console/jobs", "/console/session", &asset] {
        browser.get(path).await.problem(404, "no-such-route");
    }
    let key = serde_json::json!({ "key": app.key });
    let said = browser.send("POST", "/console/session", &key).await;
    said.problem(404, "no-such-route");
    assert!(said.cookie().is_none());
}

#[tokio::test]
async fn the_page_of_a_call_asks_for_its_modules_at_once() {
    let app = TestApp::start().await;
    let browser = Browser::at(&app);
    let preloads = async |path: &str| -> Vec<String> {
        let page = browser.get(path).await.text();
        let named = page
            .lines()
            .filter_map(|line| line.trim().strip_prefix("<link rel=\"modulepreload\" href=\""));
        named.map(|rest| rest.split_once('"').unwrap().0.to_owned()).collect()
    };
    let base = base(&browser).await;
    let (jobs, call) = (preloads("/console/jobs").await, preloads("/console/jobs/1").await);
    let unique: BTreeSet<_> = call.iter().collect();
    assert_eq!(unique.len(), call.len());
    assert!(jobs.iter().all(|path| unique.contains(path)));
    for name in ["pages/call/call.js", "pages/call/transcript.js", "pages/call/virtual-list.js"] {
        let path = format!("{base}/{name}");
        assert!(unique.contains(&path) && !jobs.contains(&path), "{name}");
    }
    for path in &call {
        assert_eq!(browser.get(path).await.status, 200, "{path}");
    }
}
