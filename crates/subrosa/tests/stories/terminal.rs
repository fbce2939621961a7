//! The same through a pseudo-terminal of 80 columns and 24 rows, as a person sits at it: prompts, and the console.
//!
//! `script` of util-linux lays the terminal; what is typed is echoed by it, except passwords.

use std::process::Command;

use crate::harness::{PASSWORD, Process, Profile, Server, headless};

/// Starts a command of this profile in a terminal.
fn in_a_terminal(profile: &Profile, arguments: &[&str]) -> Process {
    terminal(&profile.command(arguments))
}

/// Starts any command in a terminal.
pub fn terminal(command: &Command) -> Process {
    let quote = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words.map(|word| quote(word.to_str().expect("paths of the story are UTF-8"))).collect();
    let mut script = headless("script");
    script.env("TERM", "xterm-256color").env("NO_COLOR", "1").env("SHELL", "/bin/sh");
    script.args(["-qefc", &format!("stty rows 24 cols 80; exec {}", words.join(" ")), "/dev/null"]);
    Process::start(script)
}

#[test]
fn a_person_is_asked_for_the_password_twice_and_it_is_not_shown() {
    let server = Server::start();
    let alice = server.profile("alice");
    let mut terminal = in_a_terminal(&alice, &["signup", "-s", server.link(), "-u", "alice"]);
    terminal.expect_prompt("password");
    terminal.say(PASSWORD);
    terminal.expect_prompt("Again");
    terminal.say(PASSWORD);
    let outcome = terminal.finish().succeeded();
    assert!(!outcome.stdout.contains(PASSWORD), "{outcome}");
    assert!(outcome.stdout.contains("super-admin"), "{outcome}");
    alice.ok(&["whoami"]);
}

#[test]
fn two_different_passwords_are_no_password() {
    let server = Server::start();
    let alice = server.profile("alice");
    let mut terminal = in_a_terminal(&alice, &["signup", "-s", server.link(), "-u", "alice"]);
    terminal.expect_prompt("password");
    terminal.say(PASSWORD);
    terminal.expect_prompt("Again");
    terminal.say("something else altogether");
    let outcome = terminal.finish();
    assert_eq!(outcome.code, Some(1), "{outcome}");
    alice.refused(1, &["whoami"]);
}

#[test]
fn the_safety_number_is_drawn_as_a_code_where_it_can_be_scanned() {
    let server = Server::start();
    let [alice, _bob] = server.people(["alice", "bob"]);
    let outcome = in_a_terminal(&alice, &["verify", "@bob"]).finish().succeeded();
    let code = outcome.stdout.lines().filter(|line| line.starts_with("████") && line.trim_end().ends_with("████"));
    assert_eq!(code.count(), 23, "all of it, on a screen of 24 rows: {outcome}");
    assert!(outcome.stdout.lines().last().is_some_and(|line| line.starts_with("████")), "{outcome}");
}

#[test]
fn the_console_works_at_a_terminal() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "hello from before");
    let mut terminal = in_a_terminal(&bob, &["chat", "@alice"]);
    terminal.expect_text("hello from before");
    terminal.say("hello from the terminal");
    alice.wait_for("@bob", "bob: hello from the terminal");
    alice.send("@bob", "what a fine terminal");
    terminal.expect_text("what a fine terminal");
    let persian = "سلام آلیس، حالا خوبی؟ می‌خواهم این را هم بنویسم که از هشتاد ستون بلندتر است و به سطر بعد می‌رسد";
    terminal.say(persian);
    alice.wait_for("@bob", &format!("bob: {persian}"));
    terminal.say("EXIT");
    terminal.finish().succeeded();
}
