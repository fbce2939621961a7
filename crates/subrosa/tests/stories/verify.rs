//! Two people compare what stands between them: words to read out, and codes to scan.

use crate::harness::{PASSWORD, Profile, Server};

fn number(profile: &Profile, with: &str) -> serde_json::Value {
    profile.json(&["verify", with]).remove(0)
}

fn text(object: &serde_json::Value, field: &str) -> String {
    object[field].as_str().unwrap_or_else(|| panic!("no {field} in {object}")).to_owned()
}

/// What a scanner reads in a code that was drawn without colours, light on dark.
fn scanned(drawn: &str) -> String {
    let rows: Vec<Vec<char>> = drawn.lines().map(|line| line.chars().collect()).collect();
    let light = |x: usize, y: usize| {
        let cell = rows.get(y / 2).and_then(|row| row.get(x)).copied().unwrap_or(' ');
        cell == '█' || cell == if y.is_multiple_of(2) { '▀' } else { '▄' }
    };
    let side = 4 * rows[0].len();
    let pixel = |x: usize, y: usize| if light(x / 4, y / 4) { 255 } else { 0 };
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(side, side, pixel);
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1, "{drawn}");
    grids[0].decode().expect("the code is whole").1
}

fn drawn(output: &str) -> String {
    let is_code = |line: &&str| !line.is_empty() && line.chars().all(|c| " █▀▄".contains(c));
    output.lines().filter(is_code).collect::<Vec<_>>().join("\n")
}

#[test]
fn two_people_see_the_same_words_and_others_see_other_words() {
    let server = Server::start();
    let [alice, bob, carol] = server.people(["alice", "bob", "carol"]);
    let words = text(&number(&alice, "@bob"), "words");
    assert_eq!(words, text(&number(&bob, "@alice"), "words"));
    assert_eq!(words.split(' ').count(), 18);
    assert_ne!(words, text(&number(&alice, "@carol"), "words"));
    assert_ne!(words, text(&number(&carol, "@bob"), "words"));

    let shown = alice.ok(&["verify", "@bob"]);
    let mut lines = shown.stdout.lines().skip(3);
    assert_eq!(lines.by_ref().take(3).collect::<Vec<_>>().join(" "), words, "under the digits");
    assert_eq!(lines.next(), None, "nobody scans a pipe: {shown}");
    assert!(shown.stderr.contains("--qr"), "{shown}");

    let mut console = alice.start(&["chat", "@bob"]);
    console.say("/verify @bob");
    let (digits, first) = (text(&number(&bob, "@alice"), "digits"), words.split(' ').next().expect("a word"));
    console.expect_text(&digits[..23]);
    console.expect(first, |line| line.starts_with(first));
}

#[test]
fn what_one_scans_on_the_screen_of_the_other_is_accepted_and_counts_as_compared() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "show me your code");
    let read = scanned(&drawn(&bob.ok(&["verify", "@alice", "--qr"]).stdout));
    assert_eq!(read.to_lowercase(), text(&number(&bob, "@alice"), "uri"));

    assert_eq!(number(&alice, "@bob")["verified"], false);
    let said = alice.ok(&["verify", "@bob", "--uri", &read]);
    assert!(said.stderr.contains("the same"), "{said}");
    assert_eq!(number(&alice, "@bob")["verified"], true);
    assert_eq!(number(&bob, "@alice")["verified"], false, "each side compares for itself");
    let again = bob.json(&["verify", "@alice", "--uri", &text(&number(&alice, "@bob"), "uri")]);
    assert_eq!(again[0]["verified"], true);
}

#[test]
fn the_code_of_a_third_person_is_refused_and_nothing_is_marked() {
    let server = Server::start();
    let [alice, bob, carol] = server.people(["alice", "bob", "carol"]);
    alice.send("@bob", "hello");
    for other in [number(&carol, "@alice"), number(&carol, "@bob"), number(&alice, "@carol")] {
        let said = alice.refused(4, &["verify", "@bob", "--uri", &text(&other, "uri")]);
        assert!(said.contains("@bob") && said.contains("nothing was marked") && said.contains("compare"), "{said}");
    }
    // What is no code at all is a slip, not an alarm.
    let uri = text(&number(&bob, "@alice"), "uri");
    for slip in ["", "hello", &uri[..uri.len() - 4]] {
        alice.refused(1, &["verify", "@bob", "--uri", slip]);
    }
    alice.refused(1, &["verify", "@bob", "--uri", &uri, "--confirm"]);
    assert_eq!(number(&alice, "@bob")["verified"], false);
}

#[test]
fn a_changed_key_is_accepted_by_scanning_the_new_code_and_not_by_the_old_one() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "before the loss");
    let old = text(&number(&bob, "@alice"), "uri");
    alice.ok(&["verify", "@bob", "--uri", &old]);
    let bob = server.device("bob", "new-laptop");
    bob.try_log_in(PASSWORD, &["--danger-reset-key"]).succeeded();

    alice.refused(4, &["send", "@bob", "is it you?"]);
    alice.refused(4, &["verify", "@bob", "--uri", &old]);
    alice.refused(4, &["send", "@bob", "is it you?"]);
    alice.ok(&["verify", "@bob", "--uri", &text(&number(&bob, "@alice"), "uri")]);
    let seen = number(&alice, "@bob");
    assert_eq!((&seen["verified"], &seen["changed"]), (&true.into(), &false.into()));
    alice.send("@bob", "it is you");
}
