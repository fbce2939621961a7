//! `subrosa relay`: a relay for direct links, alone.

use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{Process, SUBROSA, headless};

fn relay(folder: &Path, arguments: &[&str]) -> Process {
    let mut command = headless(SUBROSA);
    command.args(["relay", "--data"]).arg(folder).args(arguments);
    Process::start(command)
}

/// Its first line.
fn announced(relay: &mut Process) -> Value {
    let line = relay.expect("the announcement", |line| line.contains("listening"));
    serde_json::from_str(&line).expect("one object a line")
}

#[test]
fn a_relay_prints_its_link_and_has_the_same_one_after_a_restart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut first = relay(folder.path(), &["--listen", "127.0.0.1:0", "--json"]);
    let announcement = announced(&mut first);
    assert_eq!((&announcement["v"], &announcement["event"]), (&1.into(), &"listening".into()));
    let link = announcement["link"].as_str().expect("a link").to_owned();
    let port = announcement["port"].as_u64().expect("a port");
    assert!(link.starts_with(&format!("subrosa-relay://127.0.0.1:{port}/")), "{link}");
    assert_eq!(link.matches('/').count(), 4, "the link carries a pass: {link}");
    first.say("TERMINATE");
    first.finish().succeeded();
    let mut again = relay(folder.path(), &["--listen", &format!("127.0.0.1:{port}"), "--json"]);
    assert_eq!(announced(&mut again)["link"], link);
    again.signal(Signal::TERM);
    again.finish().succeeded();
}

#[test]
fn the_link_of_an_open_relay_carries_no_pass() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut relay = relay(folder.path(), &["--listen", "127.0.0.1:0", "--open", "--public-host", "relay.example.org"]);
    let link = relay.expect_text("relay link: subrosa-relay://relay.example.org:");
    assert_eq!(link.matches('/').count(), 3, "{link}");
    relay.say("what is this?");
    relay.expect_error("TERMINATE ends the relay");
    relay.signal(Signal::INT);
    relay.finish().succeeded();
}

#[test]
fn a_port_or_folder_that_another_relay_has_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut first = relay(folder.path(), &["--listen", "127.0.0.1:0", "--json"]);
    let port = announced(&mut first)["port"].to_string();
    let second = relay(folder.path(), &["--listen", "127.0.0.1:0"]).finish().refused(3);
    assert!(second.contains("--data"), "{second}");
    let other = tempfile::tempdir().expect("a temporary folder");
    let third = relay(other.path(), &["--listen", &format!("127.0.0.1:{port}")]).finish().refused(3);
    assert!(third.contains(&format!("127.0.0.1:{port}")), "{third}");
}
