//! What no file of the repository may say: a path of the machine where it was written, or that something is unfinished.

use super::tree::TextFile;

/// Beginnings of absolute paths that exist on one machine only. Split, so that this file passes its own check.
const MACHINE_PATHS: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/Use", "rs/")];

/// Marks of unfinished code.
const UNFINISHED: [&str; 2] = [concat!("to", "do!("), concat!("unimple", "mented!(")];

/// One line for each place.
pub fn crossings(files: &[TextFile]) -> Vec<String> {
    let mut crossings = Vec::new();
    for file in files {
        for (number, line) in (1..).zip(file.text.lines()) {
            if let Some(path) = MACHINE_PATHS.iter().find(|path| names_absolute(line, path)) {
                crossings.push(format!("{}:{number} names a path of one machine ({path}…)", file.path));
            }
            if file.path.ends_with(".rs")
                && let Some(mark) = UNFINISHED.iter().find(|mark| line.contains(**mark))
            {
                crossings.push(format!("{}:{number} is unfinished ({mark}…))", file.path));
            }
        }
    }
    crossings
}

/// Whether `line` has `path` where an absolute path can begin, rather than inside a longer one.
fn names_absolute(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !(c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | ')')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crossings_in(path: &str, text: &str) -> Vec<String> {
        crossings(&[TextFile { path: path.into(), text: text.into() }])
    }

    #[test]
    fn a_machine_path_is_found_with_its_line() {
        let text = format!("first\nsee {}notes.md", MACHINE_PATHS[0]);
        assert_eq!(
            crossings_in("docs/a.md", &text),
            [format!("docs/a.md:2 names a path of one machine ({}…)", MACHINE_PATHS[0])]
        );
    }

    #[test]
    fn a_relative_path_with_the_same_name_is_none() {
        let inside = format!("the-net{}x and ..{}y", MACHINE_PATHS[0], MACHINE_PATHS[1]);
        assert_eq!(crossings_in("docs/a.md", &inside), Vec::<String>::new());
    }

    #[test]
    fn an_unfinished_mark_is_found_in_source_only() {
        let text = format!("fn a() {{ {}) }}", UNFINISHED[0]);
        assert_eq!(crossings_in("src/a.rs", &text).len(), 1);
        assert_eq!(crossings_in("CHANGELOG.md", &text).len(), 0);
    }
}
