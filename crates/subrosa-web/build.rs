//! A file that is new under `page` is a reason to embed them all anew.

fn main() {
    println!("cargo::rerun-if-changed=page");
}
