//! Crates that take time and randomness as arguments do not reach for their own.
//!
//! Reads tokens rather than text, so that comments and strings may say what they like, and leaves out what is compiled
//! for tests only (`#[cfg(test)]` items, and the files of such modules). A path is found however it is broken over lines; a name that
//! was imported under another one is not, but its `use` line is.

use std::str::FromStr as _;

use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::crates::PURE;
use super::tree::TextFile;

/// Paths and the reason why they are not wanted in pure code.
const IMPURE: [(&[&str], &str); 10] = [
    (&["SystemTime", "now"], "time comes in as an argument"),
    (&["Instant", "now"], "time comes in as an argument"),
    (&["thread_rng"], "randomness comes in as an argument"),
    (&["OsRng"], "randomness comes in as an argument"),
    (&["SystemRandom"], "randomness comes in as an argument"),
    (&["TcpStream"], "sockets belong to the links"),
    (&["TcpListener"], "sockets belong to the links"),
    (&["UdpSocket"], "sockets belong to the links"),
    (&["net", "*"], "name what is used of it"),
    (&["thread", "sleep"], "waiting belongs to who drives this code"),
];

/// The client half of the MLS crate. The server uses `follower`, and what is neither client nor server.
const CLIENT_HALF_OF_MLS: [&str; 7] = ["Group", "Identity", "Joining", "Mls", "Processed", "storage", "*"];

/// One line for each place in pure code that reaches for a clock, randomness or a socket, and each in the server that
/// uses the client half of the MLS crate.
///
/// # Errors
/// When a file is no Rust.
pub fn crossings(files: &[TextFile]) -> Result<Vec<String>> {
    let mut crossings = Vec::new();
    let mut sources = Vec::new();
    for file in files.iter().filter(|file| is_pure(&file.path) || is_source(&file.path, "subrosa-server")) {
        sources.push(Source::read(file)?);
    }
    let for_tests: Vec<String> = sources.iter().flat_map(Source::test_modules).collect();
    sources.retain(|source| !for_tests.iter().any(|module| source.is_of(module)));
    for Source { file, tokens, .. } in sources.iter().filter(|source| is_pure(&source.file.path)) {
        for (path, reason) in IMPURE {
            crossings.extend(
                uses(tokens, path).map(|line| format!("{}:{line} uses {}: {reason}", file.path, path.join("::"))),
            );
        }
    }
    for Source { file, tokens, .. } in sources.iter().filter(|source| is_source(&source.file.path, "subrosa-server")) {
        for module in CLIENT_HALF_OF_MLS {
            crossings.extend(uses(tokens, &["subrosa_mls", module]).map(|line| {
                format!("{}:{line} uses subrosa_mls::{module}: the server follows groups, it is in none", file.path)
            }));
        }
    }
    Ok(crossings)
}

fn is_pure(path: &str) -> bool {
    let rooms = path.strip_prefix("crates/subrosa-server/src/rooms/");
    PURE.iter().any(|name| is_source(path, name))
        || path.starts_with("crates/subrosa-server/src/core")
        // All but the thread that drives them.
        || rooms.is_some_and(|file| file != "thread.rs")
}

fn is_source(path: &str, name: &str) -> bool {
    let inside = path.strip_prefix("crates/").and_then(|rest| rest.strip_prefix(name));
    inside.is_some_and(|inside| inside.starts_with("/src/") && inside.ends_with(".rs"))
}

/// A source file, as far as it is shipped.
struct Source<'a> {
    file: &'a TextFile,
    tokens: Vec<Token>,
    /// Names of modules that are declared here for tests only and lie in files of their own.
    test_modules: Vec<String>,
}

impl<'a> Source<'a> {
    fn read(file: &'a TextFile) -> Result<Self> {
        let stream = TokenStream::from_str(&file.text).map_err(|error| anyhow!("{}: {error}", file.path))?;
        let mut source = Self { file, tokens: Vec::new(), test_modules: Vec::new() };
        source.flatten(stream);
        Ok(source)
    }

    /// The paths, without `.rs`, of the modules that are for tests only.
    fn test_modules(&self) -> impl Iterator<Item = String> + '_ {
        let path = self.file.path.trim_end_matches(".rs");
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let folder = if matches!(name, "mod" | "lib" | "main") { folder } else { path };
        self.test_modules.iter().map(move |module| format!("{folder}/{module}"))
    }

    /// Whether this is a file of the module with this path, or of one inside it.
    fn is_of(&self, module: &str) -> bool {
        self.file.path.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    }

    /// Appends the tokens of `stream`, group delimiters included, without items that are for tests only.
    fn flatten(&mut self, stream: TokenStream) {
        let mut trees = stream.into_iter().peekable();
        while let Some(tree) = trees.next() {
            let line = tree.span().start().line;
            let mut push = |text: &str| self.tokens.push(Token { text: text.to_owned(), line });
            match tree {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    if let Some(TokenTree::Group(group)) = trees.peek()
                        && is_cfg_test(&group.stream())
                    {
                        self.test_modules.extend(skip_item(&mut trees));
                    }
                }
                TokenTree::Punct(punct) => push(&punct.as_char().to_string()),
                TokenTree::Ident(ident) => push(&ident.to_string()),
                TokenTree::Literal(_) => push("literal"),
                TokenTree::Group(group) => {
                    let (open, close) = match group.delimiter() {
                        Delimiter::Parenthesis => ("(", ")"),
                        Delimiter::Brace => ("{", "}"),
                        Delimiter::Bracket => ("[", "]"),
                        Delimiter::None => ("", ""),
                    };
                    push(open);
                    self.flatten(group.stream());
                    self.tokens.push(Token { text: close.to_owned(), line });
                }
            }
        }
    }
}

/// A token as text, and its line.
struct Token {
    text: String,
    line: usize,
}

fn is_cfg_test(attribute: &TokenStream) -> bool {
    attribute.to_string().replace(' ', "") == "cfg(test)"
}

/// Skips what an attribute stands on: up to its first `;` or closing brace. Names it if it is a module in another file.
fn skip_item(trees: &mut impl Iterator<Item = TokenTree>) -> Option<String> {
    let mut words: Vec<String> = Vec::new();
    for tree in trees {
        match tree {
            TokenTree::Punct(punct) if punct.as_char() == ';' => {
                let (name, before) = words.split_last()?;
                return (before.last()? == "mod").then(|| name.clone());
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return None,
            TokenTree::Ident(ident) => words.push(ident.to_string()),
            _ => {}
        }
    }
    None
}

/// Lines on which `path` stands: written out (`a::b`), or as one name of a braced import (`a::{c, b}`).
fn uses<'a>(tokens: &'a [Token], path: &'a [&'a str]) -> impl Iterator<Item = usize> + 'a {
    let (first, rest) = path.split_first().map_or(("", path), |(first, rest)| (*first, rest));
    let begins = move |at: &usize| tokens[*at].text == first;
    (0..tokens.len())
        .filter(begins)
        .filter(move |at| rest.is_empty() || leads_to(&tokens[at + 1..], rest))
        .map(|at| tokens[at].line)
}

/// Whether `tokens`, which follow a path's first name, go on with `rest`.
fn leads_to(tokens: &[Token], rest: &[&str]) -> bool {
    let Some((next, rest)) = rest.split_first() else { return true };
    let text = |at: usize| tokens.get(at).map_or("", |token: &Token| token.text.as_str());
    if text(0) != ":" || text(1) != ":" {
        return false;
    }
    if text(2) == *next {
        return leads_to(&tokens[3..], rest);
    }
    text(2) == "{" && named_in_braces(&tokens[3..], next, rest)
}

/// Whether the import list that starts with `tokens` has `name` at its own level, going on with `rest`.
fn named_in_braces(tokens: &[Token], name: &str, rest: &[&str]) -> bool {
    let mut depth = 0;
    let mut begins = true;
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" if depth == 0 => return false,
            "}" => depth -= 1,
            text if depth == 0 && begins && text == name => return leads_to(&tokens[at + 1..], rest),
            _ => {}
        }
        begins = depth == 0 && token.text == ",";
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crossings_in(path: &str, text: &str) -> Vec<String> {
        crossings(&[TextFile { path: path.into(), text: text.into() }]).unwrap()
    }

    const ENGINE: &str = "crates/subrosa-engine/src/sync/mod.rs";

    #[test]
    fn a_clock_of_its_own_is_found_with_its_line() {
        let text = "fn now() -> Instant {\n    std::time::Instant\n        ::now()\n}";
        assert_eq!(
            crossings_in(ENGINE, text),
            ["crates/subrosa-engine/src/sync/mod.rs:2 uses Instant::now: time comes in as an argument"]
        );
        assert_eq!(crossings_in("crates/subrosa-server/src/core/log.rs", "fn a() { SystemTime::now(); }").len(), 1);
        assert_eq!(crossings_in("crates/subrosa-server/src/rooms/room.rs", "fn a() { Instant::now(); }").len(), 1);
        assert_eq!(crossings_in("crates/subrosa-server/src/rooms/thread.rs", "fn a() { Instant::now(); }").len(), 0);
    }

    #[test]
    fn randomness_and_sockets_are_found_in_imports() {
        assert_eq!(crossings_in(ENGINE, "use rand_core::{CryptoRng, OsRng};").len(), 1);
        assert_eq!(crossings_in(ENGINE, "use std::net::TcpStream;").len(), 1);
        assert_eq!(crossings_in(ENGINE, "use std::net::{IpAddr, *};").len(), 1);
        assert_eq!(crossings_in(ENGINE, "use std::net::IpAddr;").len(), 0);
    }

    #[test]
    fn a_path_is_found_inside_a_braced_import() {
        let server = "crates/subrosa-server/src/core/commit.rs";
        assert_eq!(crossings_in(server, "use subrosa_mls::{follower::{self, Follower}, storage::{SCHEMA}};").len(), 1);
        assert_eq!(crossings_in(server, "use subrosa_mls::{follower::{storage}}; mod x { fn storage() {} }").len(), 0);
    }

    #[test]
    fn comments_strings_and_tests_may_say_what_they_like() {
        let text = r##"
            //! Never SystemTime::now.
            const A: &str = "OsRng"; /* TcpStream */
            #[cfg(test)]
            mod tests { fn a() { OsRng.next_u32(); } }
            #[cfg(test)]
            use std::net::TcpStream;
        "##;
        assert_eq!(crossings_in(ENGINE, text), Vec::<String>::new());
        assert_eq!(crossings_in("crates/subrosa-engine/tests/a.rs", "fn a() { Instant::now(); }").len(), 0);
        assert_eq!(crossings_in("crates/subrosa-server/src/net/mod.rs", "fn a() { Instant::now(); }").len(), 0);
    }

    #[test]
    fn code_behind_a_test_module_is_still_read() {
        let text = "#[cfg(test)]\nmod tests;\nfn a() { thread_rng(); }";
        assert_eq!(crossings_in(ENGINE, text).len(), 1);
    }

    #[test]
    fn a_server_that_holds_a_group_is_found() {
        let server = "crates/subrosa-server/src/core/commit.rs";
        assert_eq!(crossings_in(server, "use subrosa_mls::Group;").len(), 1);
        assert_eq!(crossings_in(server, "use subrosa_mls::*;").len(), 1);
        assert_eq!(crossings_in(server, "use subrosa_mls::{LeafIndex, follower::Follower};").len(), 0);
    }

    #[test]
    fn files_of_a_test_module_may_do_what_they_like_and_others_not() {
        let file = |path: &str, text: &str| TextFile { path: path.into(), text: text.into() };
        let planted = "fn a() { thread_rng(); }";
        let files = [
            file("crates/subrosa-mls/src/lib.rs", "#[cfg(test)] pub(crate) mod fixtures; mod group;"),
            file("crates/subrosa-mls/src/group.rs", "#[cfg(test)]\nmod tests;"),
            file("crates/subrosa-mls/src/group/tests.rs", planted),
            file("crates/subrosa-mls/src/fixtures/people.rs", planted),
            file("crates/subrosa-mls/src/fixtures2.rs", planted),
            file("crates/subrosa-mls/src/tests.rs", planted),
        ];
        let found = crossings(&files).unwrap();
        let paths: Vec<_> = found.iter().filter_map(|line| line.split(':').next()).collect();
        assert_eq!(paths, ["crates/subrosa-mls/src/fixtures2.rs", "crates/subrosa-mls/src/tests.rs"]);
    }
}
