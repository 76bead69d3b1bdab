//! Cargo's build script: the version of the compiler, and the files of the console.
use std::{
    collections::BTreeSet,
    env,
    error::Error,
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

use brotli::enc::BrotliEncoderParams;
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest as _, Sha256};

/// What browsers get.
const WEB: &str = "src/console/web";
/// Where index.html finds all other files. The hash over them is inserted behind it, so that a browser can keep them for
/// ever.
const ASSETS: &str = "/console/assets/";
/// The page with the most modules.
const CALL: &str = "pages/call/call.js";

fn main() -> Result<(), Box<dyn Error>> {
    // Both folders are built into the binary; cargo does not see new files in them by itself.
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed={WEB}");
    println!("cargo:rerun-if-env-changed=BUILD_REVISION");
    let rustc = env::var("RUSTC").unwrap_or_default();
    let version = Command::new(rustc).arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    // As in "rustc 1.95.0 (…)".
    let version = version.unwrap_or_default();
    let version = version.split_whitespace().nth(1).unwrap_or("unknown");
    println!("cargo:rustc-env=BUILD_RUSTC={version}");
    embed_console(Path::new(&env::var("OUT_DIR")?))
}

/// Writes `console.rs`, which `src/console/assets.rs` includes: every file with its compressed forms.
fn embed_console(out: &Path) -> Result<(), Box<dyn Error>> {
    let mut files: Vec<File> = Vec::new();
    for path in files_in(Path::new(WEB))? {
        let name = path.strip_prefix(WEB)?.to_str().ok_or("a name that is not UTF-8")?.to_owned();
        let content = fs::read(path)?;
        let ending = name.rsplit_once('.').map(|(_, ending)| ending);
        let is_ours = !name.starts_with("vendor/") && matches!(ending, Some("js" | "css"));
        let content = if is_ours { lean(&String::from_utf8(content)?).into() } else { content };
        files.push((name, content));
    }
    let index = String::from_utf8(taken(&mut files, "index.html")?)?;
    let index = with_one_stylesheet(&index, &mut files)?;
    files.sort();
    let mut hash = Sha256::new();
    for (name, content) in &files {
        hash.update(format!("{name}\0{}\0", content.len()));
        hash.update(content);
    }
    let version = short(&hash.finalize());
    let mut code = format!("const VERSION: &str = {version:?};\n");
    for (name, page) in [("CALL", with_preloads(&index, CALL, &files)?), ("INDEX", index)] {
        let page = page.replace(ASSETS, &format!("{ASSETS}{version}/"));
        writeln!(code, "const {name}: Asset = {};", asset(out, "index.html", page.as_bytes())?)?;
    }
    writeln!(code, "const ASSETS: &[Asset] = &[")?;
    for (name, content) in &files {
        writeln!(code, "    {},", asset(out, name, content)?)?;
    }
    code.push_str("];\n");
    fs::write(out.join("console.rs"), code)?;
    Ok(())
}

type File = (String, Vec<u8>);

fn taken(files: &mut Vec<File>, name: &str) -> Result<Vec<u8>, String> {
    let at = files.iter().position(|(known, _)| known == name);
    at.map(|at| files.swap_remove(at).1).ok_or_else(|| format!("no {name}"))
}

/// Joins the stylesheets that the page names: a browser shows nothing before it has all of them.
fn with_one_stylesheet(index: &str, files: &mut Vec<File>) -> Result<String, String> {
    let (mut page, mut joined) = (String::new(), Vec::new());
    for line in index.lines() {
        let named = line.trim().strip_prefix(&format!("<link rel=\"stylesheet\" href=\"{ASSETS}"));
        if let Some(name) = named.and_then(|rest| rest.strip_suffix("\" />")) {
            if joined.is_empty() {
                page.push_str(&line.replace(name, "style.css"));
                page.push('\n');
            }
            joined.extend(taken(files, name)?);
            if !joined.ends_with(b"\n") {
                joined.push(b'\n');
            }
        } else {
            page.push_str(line);
            page.push('\n');
        }
    }
    files.push(("style.css".to_owned(), joined));
    Ok(page)
}

/// Has a browser ask at once for a module and all that it imports, instead of finding them one import after another.
fn with_preloads(index: &str, module: &str, files: &[File]) -> Result<String, Box<dyn Error>> {
    let (mut found, mut left) = (BTreeSet::new(), vec![PathBuf::from(module)]);
    while let Some(path) = left.pop() {
        let name = path.to_str().ok_or("a name that is not UTF-8")?;
        if !found.insert(name.to_owned()) {
            continue;
        }
        let content = files.iter().find(|(known, _)| known == name).map(|(_, content)| content);
        let content = str::from_utf8(content.ok_or_else(|| format!("no module {name}"))?)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for line in content.lines() {
            let imported = line.strip_suffix("\";").and_then(|line| line.rsplit_once(" from \"."));
            if let Some((_, imported)) = imported {
                left.push(resolved(folder, &format!(".{imported}")));
            }
        }
    }
    let mut links = String::new();
    for name in found {
        let link = format!("<link rel=\"modulepreload\" href=\"{ASSETS}{name}\" />");
        if !index.contains(&link) {
            writeln!(links, "    {link}")?;
        }
    }
    let (before, after) = index.split_once("    <script").ok_or("no script in index.html")?;
    Ok(format!("{before}{links}    <script{after}"))
}

fn resolved(folder: &Path, path: &str) -> PathBuf {
    let mut found = folder.to_path_buf();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => _ = found.pop(),
            name => found.push(name),
        }
    }
    found
}

/// Leaves out what browsers do not need: comments that begin a line or say a type, indentation, and empty lines.
fn lean(text: &str) -> String {
    let (mut lean, mut is_comment) = (String::with_capacity(text.len()), false);
    for line in text.lines() {
        let mut rest = line.trim();
        if is_comment || rest.starts_with("/*") {
            let end = rest.split_once("*/");
            is_comment = end.is_none();
            rest = end.map_or("", |(_, after)| after.trim_start());
        }
        if !rest.is_empty() && !rest.starts_with("//") {
            // Of an argument, or of an expression.
            while let Some((before, after)) = rest.split_once("/** @")
                && let Some((_, after)) = after.split_once("*/")
            {
                lean.push_str(before);
                rest = after.trim_start();
            }
            lean.push_str(rest);
            lean.push('\n');
        }
    }
    lean
}

fn files_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { found.extend(files_in(&path)?) } else { found.push(path) }
    }
    Ok(found)
}

/// The file as an expression of Rust. A compressed form that is not smaller is left out.
fn asset(out: &Path, name: &str, content: &[u8]) -> Result<String, Box<dyn Error>> {
    let digest = short(&Sha256::digest(content));
    let content_type = content_type(name)?;
    let mut encodings = String::new();
    for (encoding, bytes) in [("br", brotli(content)?), ("gzip", gzip(content)?)] {
        if bytes.len() < content.len() {
            let included = included(out, &format!("{digest}.{encoding}"), &bytes)?;
            write!(encodings, "({encoding:?}, {included}), ")?;
        }
    }
    let plain = included(out, &digest, content)?;
    Ok(format!(
        "Asset {{ name: {name:?}, content_type: {content_type:?}, digest: {digest:?}, plain: {plain}, \
         encodings: &[{encodings}] }}"
    ))
}

fn included(out: &Path, name: &str, bytes: &[u8]) -> io::Result<String> {
    let path = out.join(name);
    fs::write(&path, bytes)?;
    Ok(format!("include_bytes!({:?})", path.display().to_string()))
}

fn content_type(name: &str) -> Result<&'static str, String> {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    match ending {
        Some("css") => Ok("text/css; charset=utf-8"),
        Some("html") => Ok("text/html; charset=utf-8"),
        Some("js") => Ok("text/javascript; charset=utf-8"),
        Some("json") => Ok("application/json"),
        Some("png") => Ok("image/png"),
        Some("svg") => Ok("image/svg+xml"),
        Some("txt") => Ok("text/plain; charset=utf-8"),
        _ => Err(format!("{WEB}/{name}: add the media type of this ending to src/build.rs")),
    }
}

fn brotli(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut compressed = Vec::new();
    let params = BrotliEncoderParams { size_hint: content.len(), ..Default::default() };
    brotli::BrotliCompress(&mut &*content, &mut compressed, &params)?;
    Ok(compressed)
}

fn gzip(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    encoder.finish()
}

/// Enough of a digest to tell versions apart.
fn short(digest: &[u8]) -> String {
    let first = digest.first_chunk().copied().unwrap_or_default();
    format!("{:016x}", u64::from_be_bytes(first))
}
