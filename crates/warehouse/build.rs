//! The shipped SQL files are embedded with `include_dir!`, which cargo does not watch by itself.

fn main() {
    println!("cargo:rerun-if-changed=../../sql");
    println!("cargo:rerun-if-changed=build.rs");
}
