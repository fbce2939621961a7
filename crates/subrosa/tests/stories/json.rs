//! `--json`: one object of version 1 a line, for every command that has something to say; and `doctor`.

use serde_json::Value;

use crate::harness::{PASSWORD, Server};

fn has(object: &Value, fields: &[&str]) {
    for field in fields {
        assert!(object.get(field).is_some(), "no {field} in {object}");
    }
}

#[test]
fn every_command_prints_objects_of_version_1() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    let account = ["name", "role", "server", "device"];
    has(&server.profile("carol").try_sign_up(&[]).succeeded().object(), &account);
    has(&alice.try_log_in(PASSWORD, &[]).succeeded().object(), &account);
    // (command, at least so many lines, fields of each)
    let commands: [(&[&str], usize, &[&str]); 21] = [
        (&["whoami"], 1, &account),
        (&["devices"], 1, &["id", "name", "this", "enrolled_at"]),
        (&["send", "@bob", "hello"], 1, &["id", "state", "via"]),
        (&["chats"], 1, &["chat", "kind", "unread", "last"]),
        (&["read", "@bob", "--all"], 1, &["id", "chat", "from", "text", "sent_at", "received_at", "via", "verified"]),
        (&["reload"], 1, &["messages", "invites"]),
        (&["group", "create", "garden", "@bob"], 1, &["chat"]),
        (&["group", "add", "#garden", "@carol"], 0, &[]),
        (&["group", "members", "#garden"], 1, &["name", "role", "verified"]),
        (&["group", "rename", "#garden", "orchard"], 0, &[]),
        (&["group", "remove", "#orchard", "@carol"], 0, &[]),
        (&["group", "leave", "#orchard"], 0, &[]),
        (&["invites"], 0, &["id", "kind", "chat", "from"]),
        (&["role", "list"], 3, &["name", "role"]),
        (&["role", "set", "bob", "advanced"], 0, &[]),
        (&["role", "log"], 4, &["position", "what", "name", "role", "by"]),
        (&["invite-link", "create"], 1, &["code"]),
        (&["invite-link", "list"], 1, &["code"]),
        (&["verify", "@bob"], 1, &["digits", "verified", "changed"]),
        (&["verify", "@bob", "--confirm"], 1, &["verified"]),
        (&["doctor"], 1, &[]),
    ];
    for (command, at_least, fields) in commands {
        let rows = alice.json(command);
        assert!(rows.len() >= at_least, "{command:?}: {rows:?}");
        for row in &rows {
            has(row, fields);
        }
    }
    for invite in bob.json(&["invites"]) {
        has(&invite, &["id", "kind", "chat", "from"]);
        bob.json(&["accept", invite["id"].as_str().unwrap()]);
    }
    bob.json(&["read", "--all"]);
    bob.json(&["logout"]);
}

#[test]
fn refusals_with_json_leave_standard_output_to_objects() {
    let server = Server::start();
    let [alice] = server.people(["alice"]);
    for (code, command) in
        [(1, &["send", "@nobody", "hello"][..]), (1, &["read", "#nowhere"]), (6, &["role", "set", "alice", "admin"])]
    {
        let outcome = alice.run(&[command, &["--json"]].concat());
        outcome.objects();
        outcome.refused(code);
    }
}

#[test]
fn global_flags_stand_before_or_after_the_command() {
    let server = Server::start();
    let [alice] = server.people(["alice"]);
    assert_eq!(alice.ok(&["--json", "whoami"]).stdout, alice.ok(&["whoami", "--json"]).stdout);
    alice.ok(&["-v", "whoami"]);
    let mut by_variable = crate::harness::headless(crate::harness::SUBROSA);
    by_variable.env("SUBROSA_HOME", alice.home()).args(["whoami", "--json"]);
    let outcome = crate::harness::Process::start(by_variable).finish().succeeded();
    assert_eq!(outcome.object()["name"], "alice");
}

#[test]
fn the_doctor_says_where_the_key_of_the_store_is() {
    let server = Server::start();
    let [alice] = server.people(["alice"]);
    let said = alice.ok(&["doctor"]).stdout;
    assert!(said.contains("key file"), "{said}");
    assert!(said.contains(alice.home().to_str().unwrap()), "{said}");
    let rows = alice.json(&["doctor"]);
    assert!(rows.iter().any(|row| row.to_string().contains("key_file")), "{rows:?}");
    // Where there is no profile there is still something to say, and nothing is made.
    let nobody = server.profile("nobody");
    nobody.run(&["doctor"]);
    assert!(!nobody.home().exists());
}

#[test]
fn without_json_people_read_words() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.ok(&["send", "@bob", "hello"]);
    let read = bob.ok(&["read", "@alice"]).stdout;
    assert!(read.contains("alice") && read.contains("hello") && !read.contains('{'), "{read}");
    assert!(bob.ok(&["chats"]).stdout.contains("@alice"));
    assert!(alice.ok(&["role", "list"]).stdout.contains("super-admin"));
}

#[test]
fn who_stops_reading_ends_a_command_quietly() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    let lines: String = (0..40).map(|number| format!("number {number}\n")).collect();
    alice.run_with(&["chat", "@bob"], lines).succeeded();
    let program = crate::harness::SUBROSA;
    let script = format!("set -o pipefail; {program} --home '{}' read --all | head -n 1", bob.home().display());
    let mut shell = crate::harness::headless("bash");
    shell.args(["-c", &script]);
    let outcome = crate::harness::Process::start(shell).finish().succeeded();
    assert!(outcome.stdout.contains("number 0") && outcome.stderr.is_empty(), "{outcome}");
    let said = bob.ok(&["whoami", "--json", "-vv"]);
    assert_eq!(said.object()["name"], "bob", "steps are shown on standard error");
}
