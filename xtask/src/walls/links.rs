//! The documents hang together: every relative link leads to something, and the book's summary has every page.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::tree::TextFile;

/// The table of contents of the book in its folder.
const SUMMARY: &str = "docs/SUMMARY.md";

/// One line for each link that leads nowhere and each page that the summary has not.
pub fn crossings(files: &[TextFile]) -> Vec<String> {
    let mut places: BTreeSet<PathBuf> = BTreeSet::new();
    for file in files {
        places.extend(Path::new(&file.path).ancestors().map(Path::to_owned));
    }
    let mut crossings = Vec::new();
    let mut pages = BTreeSet::new();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        for (number, line) in (1..).zip(file.text.lines()) {
            for target in targets(line) {
                let place = resolve(&file.path, target);
                if !places.contains(&place) {
                    crossings.push(format!("{}:{number} links to {target}, which is not there", file.path));
                }
                if file.path == SUMMARY {
                    pages.insert(place);
                }
            }
        }
    }
    if files.iter().any(|file| file.path == SUMMARY) {
        let is_page = |path: &&str| path.starts_with("docs/") && path.ends_with(".md") && *path != SUMMARY;
        let missing = files.iter().map(|file| file.path.as_str()).filter(is_page);
        crossings.extend(
            missing.filter(|path| !pages.contains(Path::new(path))).map(|path| format!("{SUMMARY} has no {path}")),
        );
    }
    crossings
}

/// Targets of the Markdown links in a line that lead to files of the repository.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let after_text = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let without_anchor = after_text.map(|target| target.split('#').next().unwrap_or(target));
    without_anchor.filter(|target| !target.is_empty() && !target.contains(':'))
}

fn resolve(from: &str, target: &str) -> PathBuf {
    let mut place = Path::new(from).parent().map(Path::to_owned).unwrap_or_default();
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir => drop(place.pop()),
            Component::Normal(name) => place.push(name),
            _ => {}
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crossings_in(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<_> =
            files.iter().map(|(path, text)| TextFile { path: (*path).into(), text: (*text).into() }).collect();
        crossings(&files)
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let guide = "see [a](../README.md#tour), [b](adr), [c](https://example.org) and [d](gone.md)";
        let files = [("README.md", "[e](#tour)"), ("docs/guide.md", guide), ("docs/adr/0001.md", "")];
        assert_eq!(crossings_in(&files), ["docs/guide.md:1 links to gone.md, which is not there"]);
    }

    #[test]
    fn a_page_that_the_summary_leaves_out_is_found() {
        let files = [("docs/SUMMARY.md", "- [a](a.md)"), ("docs/a.md", ""), ("docs/b.md", "")];
        assert_eq!(crossings_in(&files), ["docs/SUMMARY.md has no docs/b.md"]);
    }
}
