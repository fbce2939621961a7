//! What a document says a test holds, a test holds: every test that the attacks page names exists.

use std::collections::BTreeSet;

use super::tree::TextFile;

/// The pages whose tables name tests in backticks.
const PAGES: [&str; 2] = ["docs/attacks.md", "docs/threat-model.md"];

/// One line for each name that no function has.
pub fn crossings(files: &[TextFile]) -> Vec<String> {
    let functions: BTreeSet<&str> =
        files.iter().filter(|file| file.path.ends_with(".rs")).flat_map(functions).collect();
    let mut crossings = Vec::new();
    for page in files.iter().filter(|file| PAGES.contains(&file.path.as_str())) {
        for (number, line) in (1..).zip(page.text.lines()) {
            for name in tests_named_in(line).filter(|name| !functions.contains(name)) {
                crossings.push(format!("{}:{number} names a test that does not exist: {name}", page.path));
            }
        }
    }
    crossings
}

fn functions(file: &TextFile) -> impl Iterator<Item = &str> {
    file.text.lines().filter_map(|line| line.split_once("fn ")).filter_map(|(_, rest)| rest.split(['(', '<']).next())
}

/// What stands in backticks and reads like a test's name: a sentence of at least four words.
fn tests_named_in(line: &str) -> impl Iterator<Item = &str> {
    let is_name = |text: &&str| {
        text.matches('_').count() >= 3 && text.chars().all(|c| c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    line.split('`').skip(1).step_by(2).filter(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_is_named_and_does_not_exist_is_found() {
        let page = "| a | b | `the_door_is_always_locked`, `the_key_is_never_lent` and `subrosa_types::text` |";
        let source = "#[test]\n    fn the_door_is_always_locked() {}";
        let files = [
            TextFile { path: "docs/attacks.md".into(), text: page.into() },
            TextFile { path: "crates/a/src/lib.rs".into(), text: source.into() },
        ];
        assert_eq!(crossings(&files), ["docs/attacks.md:1 names a test that does not exist: the_key_is_never_lent"]);
    }
}
