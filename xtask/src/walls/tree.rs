//! The repository's text files.

use std::path::Path;

use anyhow::{Context as _, Result};

/// Names of folders with nothing that we wrote. `.git` is a file in a second working tree.
const SKIPPED: [&str; 3] = [".git", "target", "book"];

/// A file of the repository.
pub struct TextFile {
    /// Relative to the root, with `/` between the parts.
    pub path: String,
    /// What it says.
    pub text: String,
}

/// All files below `root` that are UTF-8; and pictures, which say nothing but can be linked to.
///
/// # Errors
/// When a folder or file cannot be read.
pub fn text_files(root: &Path) -> Result<Vec<TextFile>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().with_context(|| format!("cannot read {}", folder.display()))? {
            let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
            let kind = entry.file_type().with_context(|| format!("cannot read {}", entry.path().display()))?;
            if SKIPPED.iter().any(|skipped| entry.file_name() == *skipped) {
                continue;
            }
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                let bytes =
                    std::fs::read(entry.path()).with_context(|| format!("cannot read {}", entry.path().display()))?;
                let is_picture = entry.path().extension().is_some_and(|kind| kind == "png");
                let text = String::from_utf8(bytes).ok().or_else(|| is_picture.then(String::new));
                if let Some(text) = text {
                    let path =
                        entry.path().strip_prefix(root).unwrap_or(&entry.path()).to_string_lossy().replace('\\', "/");
                    files.push(TextFile { path, text });
                }
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_output_and_binaries_are_left_out() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("target/release")).unwrap();
        std::fs::create_dir_all(root.path().join("src/target-practice")).unwrap();
        std::fs::write(root.path().join("target/release/a.rs"), "fn a() {}").unwrap();
        std::fs::write(root.path().join("src/target-practice/b.rs"), "fn b() {}").unwrap();
        std::fs::write(root.path().join(".git"), "gitdir: elsewhere").unwrap();
        std::fs::write(root.path().join("c.bin"), [0xff, 0xfe]).unwrap();
        std::fs::write(root.path().join("d.png"), [0xff, 0xfe]).unwrap();
        let files = text_files(root.path()).unwrap();
        assert_eq!(
            files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(),
            ["d.png", "src/target-practice/b.rs"]
        );
    }
}
