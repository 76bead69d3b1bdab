use std::process::Command;

fn main() {
    // The migrations are built into the binary; cargo does not see new ones by itself.
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-env-changed=BUILD_REVISION");
    let rustc = std::env::var("RUSTC").unwrap_or_default();
    let version = Command::new(rustc).arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    // As in "rustc 1.95.0 (…)".
    let version = version.unwrap_or_default();
    let version = version.split_whitespace().nth(1).unwrap_or("unknown");
    println!("cargo:rustc-env=BUILD_RUSTC={version}");
}
