//! What a server, its log and its wire must not hold: texts, passwords, titles (row D5), and what nobody else may read of
//! a client's files (row D2).
//!
//! The server's keys cannot be searched for from outside, and the seeds of accounts and devices never leave the client's
//! encrypted store in a form that this story could read; that no message of the wire has a place for one is guarded by
//! the wire's golden bytes. What is searched for here is what people typed.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::harness::absence::{Needle, files_under};
use crate::harness::{Outcome, Server, Wire};

const PRIVATE: &str = "the heron stands in the reeds at noon";
const PERSIAN: &str = "درنا نیمروز در نیزار ایستاده است";
const GROUP: &str = "bring the copper kettle to the orchard";
const QUEUED: &str = "written while the server was away";
const TITLE: &str = "Copper Kettle Orchard Society";
const NEW_TITLE: &str = "Society of the Mended Kettle";
const PASSWORD_OF_BOB: &str = "lamplighter gooseberry tram ninety";
const WRONG_PASSWORD: &str = "gooseberry lamplighter tram eighty";
const EMAIL: &str = "alice.liddell@example.org";

/// Everything that commands printed to standard error with `-vv`: their log.
#[derive(Default)]
struct Log(String);

impl Log {
    fn of(&mut self, outcome: Outcome) {
        self.0.push_str(&outcome.succeeded().stderr);
    }
}

#[test]
fn what_people_wrote_is_in_no_file_of_the_server_no_log_and_not_on_the_wire() {
    let mut server = Server::with("127.0.0.1:0", &["-vv"]);
    let wire = Wire::to(&server);
    let mut log = Log::default();
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| server.profile(name).through(wire.link()));
    log.of(alice.try_sign_up(&["--email", EMAIL, "-vv"]));
    let enter = ["signup", "-s", wire.link(), "-u", "bob", "--password-stdin", "-vv"];
    log.of(bob.run_with(&enter, format!("{PASSWORD_OF_BOB}\n")));
    log.of(carol.try_sign_up(&["-vv"]));
    let phone = server.device("bob", "phone").through(wire.link());
    let refused = phone.try_log_in(WRONG_PASSWORD, &["-vv"]);
    log.0.push_str(&refused.stderr);
    log.of(phone.try_log_in(PASSWORD_OF_BOB, &["-vv"]));

    log.of(alice.run(&["send", "@bob", PRIVATE, "-vv"]));
    log.of(bob.run(&["send", "@alice", PERSIAN, "-vv"]));
    log.of(alice.run(&["group", "create", TITLE, "@bob", "@carol", "-vv"]));
    for friend in [&bob, &carol] {
        log.of(friend.run(&["accept", &format!("#{TITLE}"), "-vv"]));
    }
    log.of(carol.run(&["send", &format!("#{TITLE}"), GROUP, "-vv"]));
    log.of(alice.run(&["group", "rename", &format!("#{TITLE}"), NEW_TITLE, "-vv"]));
    log.of(alice.run(&["verify", "@bob", "--confirm", "-vv"]));
    server.kill();
    log.0.push_str(&alice.run(&["send", "@carol", QUEUED, "-vv"]).refused(3));
    server.start_again();
    for person in [&alice, &bob, &carol, &phone] {
        log.of(person.run(&["reload", "-vv"]));
    }
    // The story is a story only if all of it arrived.
    assert!(bob.history("@alice").contains(&format!("alice: {PRIVATE}")));
    assert!(alice.history("@bob").contains(&format!("bob: {PERSIAN}")));
    assert_eq!(phone.history(&format!("#{NEW_TITLE}")), [format!("carol: {GROUP}")]);
    assert_eq!(carol.history("@alice"), [format!("alice: {QUEUED}")]);
    server.terminate().succeeded();

    let needles =
        [PRIVATE, PERSIAN, GROUP, QUEUED, TITLE, NEW_TITLE, PASSWORD_OF_BOB, WRONG_PASSWORD, crate::harness::PASSWORD]
            .map(Needle::new);
    let captured = wire.captured();
    assert!(captured.len() > 20_000, "the wire was used");
    let printed = server.printed();
    assert!(!printed.is_empty() && !log.0.is_empty());
    for needle in &needles {
        needle.must_not_be_in(&captured, "the capture of the wire");
        needle.must_not_be_in(printed.as_bytes(), "what the server printed");
        needle.must_not_be_in(log.0.as_bytes(), "what the clients logged");
    }
    let email = Needle::new(EMAIL);
    email.must_not_be_in(&captured, "the capture of the wire");
    email.must_not_be_in(printed.as_bytes(), "what the server printed");

    let files = files_under(server.data());
    assert!(!files.is_empty());
    for file in &files {
        let content = std::fs::read(file).unwrap();
        for needle in &needles {
            needle.must_not_be_in(&content, &file.display().to_string());
        }
    }
    // A client's own files are encrypted; only profile.json and the key file are plain, and neither has a word of these.
    for profile in [&alice, &bob, &carol, &phone] {
        for file in files_under(profile.home()) {
            let content = std::fs::read(&file).unwrap();
            for needle in needles.iter().chain([&email]) {
                needle.must_not_be_in(&content, &file.display().to_string());
            }
        }
    }
}

#[test]
fn a_text_that_is_there_would_be_found() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", PRIVATE);
    let shown = bob.ok(&["read", "@alice", "--json"]);
    assert!(Needle::new(PRIVATE).is_in(shown.stdout.as_bytes()));
}

/// Everybody else's rights to a file or folder.
fn rights_of_others(path: &Path) -> u32 {
    std::fs::metadata(path).expect("a file of the story").permissions().mode() & 0o077
}

#[test]
fn the_files_of_clients_and_servers_are_private() {
    let mut server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "hello");
    let mut watching = bob.start(&["read", "--follow"]);
    watching.expect_text("hello");
    let check = |folder: &Path| {
        assert_eq!(rights_of_others(folder), 0, "{}", folder.display());
        for file in files_under(folder) {
            assert_eq!(rights_of_others(&file), 0, "{}", file.display());
            for above in file.ancestors().skip(1).take_while(|above| above.starts_with(folder)) {
                assert_eq!(rights_of_others(above), 0, "{}", above.display());
            }
        }
    };
    for folder in [alice.home(), bob.home(), server.data()] {
        check(folder);
    }
    let socket = bob.home().join("subrosa.sock");
    assert!(!socket.exists() || rights_of_others(&socket) == 0);
    drop(watching);
    server.kill();
    check(server.data());
}

#[test]
fn a_folder_that_others_can_write_in_is_not_trusted() {
    let server = Server::start();
    let home = server.folder().join("shared");
    std::fs::create_dir(&home).unwrap();
    std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o777)).unwrap();
    std::fs::write(home.join("holiday.txt"), "somebody else's").unwrap();
    let said = server.profile("alice").at(&home).try_sign_up(&[]).refused(1);
    assert!(said.contains("--home"), "{said}");
}
