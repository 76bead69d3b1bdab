fn main() {
    // The migrations are built into the binary; cargo does not see new ones by itself.
    println!("cargo:rerun-if-changed=migrations");
}
