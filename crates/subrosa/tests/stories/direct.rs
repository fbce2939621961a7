//! `subrosa direct`: two people, no account. Each story is alice, who listens, and bob, who dials.

use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::process::Signal;
use serde_json::Value;
use subrosa_wire::Ticket;
use subrosa_wire::ticket::Way;
use tempfile::TempDir;

use crate::bad_luck::SmallDisk;
use crate::harness::absence::Needle;
use crate::harness::{Outcome, Process, SUBROSA, Server, headless};
use crate::terminal::terminal;

fn direct(arguments: &[&str]) -> Command {
    let mut command = headless(SUBROSA);
    command.arg("direct").args(arguments);
    command
}

fn start(arguments: &[&str]) -> Process {
    Process::start(direct(arguments))
}

/// Alice, who listens, and her ticket.
fn listen(arguments: &[&str]) -> (Process, String) {
    let mut alice = start(&[&["listen"], arguments].concat());
    let line = alice.expect_text("subrosa-direct:");
    let ticket = line.split_whitespace().last().expect("a ticket").to_owned();
    (alice, ticket)
}

/// The same with `--json`.
fn listen_json(arguments: &[&str]) -> (Process, String) {
    let mut alice = start(&[&["listen", "--json"], arguments].concat());
    let first: Value = serde_json::from_str(&alice.expect_text("ticket")).expect("an object");
    assert_eq!((&first["v"], &first["event"]), (&Value::from(1), &Value::from("ticket")));
    (alice, first["ticket"].as_str().expect("a ticket").to_owned())
}

fn event(process: &mut Process, name: &str) -> Value {
    let line = process.expect(name, |line| {
        serde_json::from_str::<Value>(line).is_ok_and(|object| object["event"] == name && object["v"] == 1)
    });
    serde_json::from_str(&line).expect("an object")
}

fn both_leave(alice: Process, mut bob: Process) -> (Outcome, Outcome) {
    bob.say("EXIT");
    (alice.finish().succeeded(), bob.finish().succeeded())
}

/// A wire to where a ticket leads: it keeps every byte, and can be cut.
struct Tap {
    ticket: String,
    captured: Arc<Mutex<Vec<u8>>>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
    /// While set, nobody gets through.
    closed: Arc<AtomicBool>,
    /// Cuts everything once when so many bytes went over it.
    limit: Arc<AtomicU64>,
}

impl Tap {
    fn on(ticket: &str) -> Self {
        let mut ticket: Ticket = ticket.parse().expect("a ticket");
        let Way::Tcp(addresses) = &ticket.way else { panic!("no ticket for TCP") };
        let target = addresses[0].clone();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        ticket.way = Way::Tcp(vec![listener.local_addr().expect("a bound socket").to_string()]);
        let tap = Self {
            ticket: ticket.to_string(),
            captured: Arc::default(),
            streams: Arc::default(),
            closed: Arc::default(),
            limit: Arc::new(AtomicU64::new(u64::MAX)),
        };
        let (captured, streams, closed, limit) =
            (tap.captured.clone(), tap.streams.clone(), tap.closed.clone(), tap.limit.clone());
        thread::spawn(move || {
            for near in listener.incoming() {
                let Ok(near) = near else { continue };
                if closed.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(far) = TcpStream::connect(&target) else { continue };
                for stream in [&near, &far] {
                    held(&streams).extend(stream.try_clone());
                }
                for (from, to) in [(near.try_clone(), far.try_clone()), (Ok(far), Ok(near))] {
                    let (Ok(from), Ok(to)) = (from, to) else { continue };
                    let (captured, streams, limit) = (captured.clone(), streams.clone(), limit.clone());
                    thread::spawn(move || carry(from, to, &captured, &streams, &limit));
                }
            }
        });
        tap
    }

    fn cut(&self) {
        cut(&self.streams);
    }

    fn captured(&self) -> Vec<u8> {
        held(&self.captured).clone()
    }
}

fn held<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn cut(streams: &Mutex<Vec<TcpStream>>) {
    for stream in held(streams).drain(..) {
        // One that ended by itself.
        let _gone = stream.shutdown(Shutdown::Both);
    }
}

fn carry(
    mut from: TcpStream,
    mut to: TcpStream,
    captured: &Mutex<Vec<u8>>,
    streams: &Mutex<Vec<TcpStream>>,
    limit: &AtomicU64,
) {
    use std::io::{Read, Write};
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let total = {
            let mut captured = held(captured);
            captured.extend_from_slice(&buffer[..length]);
            captured.len() as u64
        };
        if total >= limit.load(Ordering::SeqCst) {
            limit.store(u64::MAX, Ordering::SeqCst);
            cut(streams);
            return;
        }
        if to.write_all(&buffer[..length]).is_err() {
            return;
        }
    }
    let _gone = to.shutdown(Shutdown::Write);
}

/// A chat through the program with these arguments at the listener; bob needs none but the ticket and `more`.
fn chats(arguments: &[&str], more: &[&str]) -> (Outcome, Outcome) {
    let (mut alice, ticket) = listen(arguments);
    let mut bob = start(&[&["dial", &ticket], more].concat());
    bob.say("good morning, alice");
    alice.expect_text("peer: good morning, alice");
    alice.say("good morning, bob");
    bob.expect_text("peer: good morning, bob");
    both_leave(alice, bob)
}

#[test]
fn two_people_chat_over_each_transport_with_each_encryption() {
    for transport in ["tcp", "quic"] {
        for encryption in ["mls", "rsa"] {
            let (alice, bob) = chats(&["--transport", transport, "--encryption", encryption], &[]);
            for side in [alice, bob] {
                assert!(side.stderr.contains(&format!("encryption: {encryption}")), "{side}");
                assert!(!side.stdout.contains("NOT ENCRYPTED"), "{side}");
            }
        }
    }
}

#[test]
fn the_default_is_quic_with_mls_and_meets_at_the_relay_of_a_server() {
    let server = Server::start();
    let (mut alice, ticket) = listen_json(&["--relay", server.link()]);
    let parsed: Ticket = ticket.parse().expect("a ticket");
    assert!(matches!(&parsed.way, Way::Quic(way) if way.relay.is_some()), "{parsed:?}");
    let mut bob = start(&["dial", &ticket, "--json"]);
    let joined = event(&mut bob, "joined");
    assert_eq!(joined["encryption"], "mls");
    assert_eq!((&joined["vouched"], &joined["encrypted"]), (&Value::from(true), &Value::from(true)));
    bob.say("hello over there");
    let message = event(&mut alice, "message");
    assert_eq!((&message["from"], &message["text"]), (&Value::from("peer"), &Value::from("hello over there")));
    assert!(["direct", "relay"].contains(&message["via"].as_str().unwrap()), "{message}");
    assert!(message["sent_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{message}");
    both_leave(alice, bob);
}

#[test]
fn pseudo_refuses_without_its_flag_and_every_line_says_so() {
    let refused = start(&["listen", "--encryption", "pseudo"]).finish().refused(1);
    assert!(refused.contains("--danger-no-encryption"), "{refused}");
    let arguments = ["--transport", "tcp", "--encryption", "pseudo", "--danger-no-encryption"];
    let (alice, ticket) = listen(&arguments);
    let refused = start(&["dial", &ticket]).finish().refused(1);
    assert!(refused.contains("--danger-no-encryption"), "{refused}");
    drop(alice);
    let (alice, bob) = chats(&arguments, &["--danger-no-encryption"]);
    for side in [alice, bob] {
        for line in side.stdout.lines().chain(side.stderr.lines()) {
            assert!(line.starts_with("[NOT ENCRYPTED] "), "{line}\nin {side}");
        }
    }
    let (mut alice, ticket) = listen_json(&arguments);
    let mut bob = start(&["dial", &ticket, "--danger-no-encryption", "--json"]);
    bob.say("hello");
    event(&mut alice, "message");
    let (alice, bob) = both_leave(alice, bob);
    for object in alice.objects().iter().chain(&bob.objects()) {
        assert_eq!(object["encrypted"], false, "{object}");
    }
}

#[test]
fn different_encryptions_are_a_clear_error_on_both_sides() {
    let (alice, ticket) = listen_json(&["--transport", "tcp", "--encryption", "rsa"]);
    let mut bob = start(&["dial", &ticket, "--encryption", "mls"]);
    bob.say("a secret that must not go out");
    assert!(bob.finish().refused(1).contains("same encryption"));
    let alice = alice.finish();
    assert_eq!(alice.objects().last().unwrap()["code"], "encryption_mismatch", "{alice}");
    alice.refused(1);
}

#[test]
fn somebody_with_another_key_is_refused_and_hears_nothing() {
    let (_alice, ticket) = listen(&["--transport", "tcp"]);
    let (mut mallory, other) = listen(&["--transport", "tcp"]);
    let (ticket, other): (Ticket, Ticket) = (ticket.parse().unwrap(), other.parse().unwrap());
    let redirected = Ticket { way: other.way, ..ticket }.to_string();
    let mut bob = start(&["dial", &redirected]);
    bob.say("for alice only");
    let refused = bob.finish().refused(4);
    assert!(refused.contains("nothing was sent"), "{refused}");
    mallory.expect_error("turned away");
    assert!(!mallory.lines().iter().any(|line| line.contains("for alice only")));
}

#[test]
fn without_a_ticket_both_see_the_same_words_and_are_asked_to_compare() {
    let (mut alice, ticket) = listen(&["--transport", "tcp", "--encryption", "rsa"]);
    let Way::Tcp(addresses) = ticket.parse::<Ticket>().unwrap().way else { panic!("no ticket for TCP") };
    let mut bob = start(&["dial", &addresses[0], "--encryption", "rsa"]);
    bob.expect_error("NOBODY VOUCHES");
    alice.expect_error("NOBODY VOUCHES");
    let words = |process: &mut Process| {
        let line = process.expect_error("    ");
        line.split("    ").last().unwrap().to_owned()
    };
    assert_eq!(words(&mut alice), words(&mut bob));
    for side in [&mut alice, &mut bob] {
        side.say("/verify");
    }
    let three = |line: &str| line.split(' ').count() == 3 && line.chars().all(|c| c.is_ascii_lowercase() || c == ' ');
    assert_eq!(alice.expect("three words", three), bob.expect("three words", three));
    both_leave(alice, bob);
    // Who wants no strangers says so.
    let (mut alice, ticket) = listen(&["--transport", "tcp", "--ticket-only"]);
    let Way::Tcp(addresses) = ticket.parse::<Ticket>().unwrap().way else { panic!("no ticket for TCP") };
    start(&["dial", &addresses[0]]).finish().refused(1);
    alice.expect_error("turned away");
}

#[test]
fn what_is_typed_while_the_link_is_down_arrives_once_and_in_order() {
    let (mut alice, ticket) = listen(&["--transport", "tcp"]);
    let tap = Tap::on(&ticket);
    let mut bob = start(&["dial", &tap.ticket]);
    bob.say("before the break");
    alice.expect_text("before the break");
    tap.closed.store(true, Ordering::SeqCst);
    tap.cut();
    bob.expect_error("the link broke");
    alice.expect_error("the link broke");
    for number in 0..20 {
        bob.say(&format!("during the break {number}."));
        alice.say(&format!("from alice {number}."));
    }
    bob.expect_error("trying again");
    tap.closed.store(false, Ordering::SeqCst);
    for number in 0..20 {
        alice.expect_text(&format!("during the break {number}."));
        bob.expect_text(&format!("from alice {number}."));
    }
    let (alice, bob) = both_leave(alice, bob);
    for number in 0..20 {
        assert_eq!(alice.stdout.matches(&format!("during the break {number}.")).count(), 1, "{alice}");
        assert_eq!(bob.stdout.matches(&format!("from alice {number}.")).count(), 1, "{bob}");
    }
}

#[test]
fn a_file_is_offered_accepted_resumed_after_a_break_and_checked() {
    let folder = TempDir::new().unwrap();
    let (inbox, path) = (folder.path().join("inbox"), folder.path().join("holiday film.mkv"));
    std::fs::create_dir(&inbox).unwrap();
    let content: Vec<u8> = (0..6_000_000_u32).flat_map(|number| number.to_le_bytes()).collect();
    std::fs::write(&path, &content).unwrap();
    let (mut alice, ticket) = listen_json(&["--transport", "tcp", "--accept-files", inbox.to_str().unwrap()]);
    let tap = Tap::on(&ticket);
    tap.limit.store(8_000_000, Ordering::SeqCst);
    let mut bob = start(&["dial", &tap.ticket, "--json"]);
    bob.say(&format!("/send {}", path.display()));
    let offered = event(&mut alice, "file_offered");
    assert_eq!(
        (&offered["name"], &offered["direction"]),
        (&Value::from("holiday film.mkv"), &Value::from("receiving"))
    );
    let before = event(&mut alice, "file_progress")["done"].as_u64().unwrap();
    event(&mut alice, "broken");
    let after = event(&mut alice, "file_progress")["done"].as_u64().unwrap();
    assert!(after > before && after > 1_000_000, "it goes on where it was: {before}, then {after}");
    let ended = event(&mut alice, "file_ended");
    assert_eq!(ended["outcome"], "done");
    assert_eq!(std::fs::read(ended["path"].as_str().unwrap()).unwrap(), content);
    assert_eq!(event(&mut bob, "file_ended")["outcome"], "done");
    assert!((tap.captured().len() as u64) < 24_000_000 * 3 / 2, "sent once, and not from the start");
    both_leave(alice, bob);
}

#[test]
fn a_full_disk_ends_a_file_and_the_next_try_goes_on_when_there_is_room() {
    let folder = TempDir::new().unwrap();
    let (inbox, path) = (folder.path().join("inbox"), folder.path().join("film.mkv"));
    let Some(disk) = SmallDisk::at(&inbox, 4096) else { return };
    disk.fill();
    let content: Vec<u8> = (0..500_000_u32).flat_map(|number| number.to_le_bytes()).collect();
    std::fs::write(&path, &content).unwrap();
    let (mut alice, ticket) = listen_json(&["--transport", "tcp", "--accept-files", inbox.to_str().unwrap()]);
    let mut bob = start(&["dial", &ticket, "--json"]);
    bob.say(&format!("/send {}", path.display()));
    assert_eq!(event(&mut bob, "file_ended")["outcome"], "no_room");
    assert_eq!(event(&mut alice, "error")["code"], "file_not_written");
    assert!(!inbox.join("film.mkv").exists());
    bob.say("still there");
    assert_eq!(event(&mut alice, "message")["text"], "still there");
    disk.empty();
    bob.say(&format!("/send {}", path.display()));
    assert_eq!(event(&mut bob, "file_ended")["outcome"], "done");
    assert_eq!(std::fs::read(inbox.join("film.mkv")).unwrap(), content);
    both_leave(alice, bob);
}

#[test]
fn at_a_terminal_the_typed_line_stays_and_a_bar_shows_how_much_of_a_file_is_there() {
    let folder = TempDir::new().unwrap();
    let (inbox, path) = (folder.path().join("inbox"), folder.path().join("film.mkv"));
    std::fs::create_dir(&inbox).unwrap();
    std::fs::write(&path, vec![7; 3_000_000]).unwrap();
    let arguments = ["listen", "--transport", "tcp", "--accept-files", inbox.to_str().unwrap()];
    let mut alice = terminal(&direct(&arguments));
    let line = alice.expect_text("subrosa-direct:");
    let ticket = line.split("ticket: ").nth(1).unwrap().trim().to_owned();
    let mut bob = start(&["dial", &ticket]);
    bob.say("hello from the pipe");
    alice.expect_text("peer: hello from the pipe");
    alice.say("hello from the terminal");
    bob.expect_text("peer: hello from the terminal");
    bob.say(&format!("/send {}", path.display()));
    bob.expect_error("done");
    alice.say("EXIT");
    let alice = alice.finish().succeeded();
    assert!(alice.stdout.contains("↓[#") && alice.stdout.contains("% > "), "{alice}");
    bob.finish().succeeded();
}

#[test]
fn a_person_accepts_or_declines_a_file_by_its_number() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "the notes").unwrap();
    let place = folder.path().join("place");
    std::fs::create_dir(&place).unwrap();
    let mut command = direct(&["listen", "--transport", "tcp"]);
    command.current_dir(&place);
    let mut alice = Process::start(command);
    let ticket = alice.expect_text("subrosa-direct:").split_whitespace().last().unwrap().to_owned();
    let mut bob = start(&["dial", &ticket]);
    bob.say(&format!("/send {}", path.display()));
    alice.expect_error("file 1 for you: notes.txt (9 bytes)");
    assert!(!place.join("notes.txt").exists(), "nobody has accepted it");
    alice.say("/accept 1");
    bob.expect_error("file 1 notes.txt: done");
    assert_eq!(std::fs::read_to_string(place.join("notes.txt")).unwrap(), "the notes");
    bob.say(&format!("/send {}", path.display()));
    alice.expect_error("file 2 for you");
    alice.say("/decline 2");
    bob.expect_error("file 2 notes.txt: declined");
    bob.say("/send /nowhere/at/all");
    bob.expect_error("cannot be read");
    both_leave(alice, bob);
}

#[test]
fn what_is_said_is_not_on_the_wire() {
    let text = "the umbrella is in the old tram";
    for (encryption, is_there) in [("mls", false), ("rsa", false), ("pseudo", true)] {
        let arguments = ["--transport", "tcp", "--encryption", encryption, "--danger-no-encryption"];
        let (mut alice, ticket) = listen(&arguments);
        let tap = Tap::on(&ticket);
        let mut bob = start(&["dial", &tap.ticket, "--danger-no-encryption"]);
        bob.say(text);
        alice.expect_text(text);
        both_leave(alice, bob);
        assert_eq!(Needle::new(text).is_in(&tap.captured()), is_there, "{encryption}");
    }
}

#[test]
fn text_of_the_other_side_cannot_move_the_terminal() {
    let (mut alice, ticket) = listen(&["--transport", "tcp"]);
    let mut bob = start(&["dial", &ticket]);
    bob.say("harmless \u{1b}[2J\u{1b}]0;title\u{7} \u{202E}txet");
    let line = alice.expect_text("harmless");
    assert!(!line.contains(|c: char| c.is_control() || c == '\u{202E}'), "{line:?}");
    both_leave(alice, bob);
}

#[test]
fn pipes_deliver_what_was_typed_and_leave_and_signals_leave_in_order() {
    let (mut alice, ticket) = listen(&["--transport", "tcp"]);
    let mut bob = start(&["dial", &ticket]);
    bob.say_all("one\ntwo\n//three\n/fuor\n");
    alice.expect_text("peer: one");
    alice.expect_text("peer: two");
    alice.expect_text("peer: /three");
    let bob = bob.finish().succeeded();
    assert!(bob.stderr.contains("/fuor"), "{bob}");
    alice.expect_error("left");
    alice.finish().succeeded();

    let (mut alice, ticket) = listen(&["--transport", "tcp"]);
    let mut bob = start(&["dial", &ticket]);
    bob.expect_error("connected");
    alice.expect_error("connected");
    alice.signal(Signal::TERM);
    bob.expect_error("left");
    alice.finish().succeeded();
    bob.finish().succeeded();
}

#[test]
fn what_cannot_be_dialled_is_said_with_what_to_do() {
    for text in ["nonsense", "subrosa-direct:abc", "127.0.0.1:0", "127.0.0.1"] {
        start(&["dial", text]).finish().refused(1);
    }
    let (alice, ticket) = listen(&["--transport", "tcp"]);
    let expired = Ticket { expires_at: 1_000, ..ticket.parse().unwrap() }.to_string();
    assert!(start(&["dial", &expired]).finish().refused(1).contains("time"));
    start(&["dial", &ticket, "--transport", "quic"]).finish().refused(1);
    start(&["listen", "--listen", "127.0.0.1:0"]).finish().refused(1);
    start(&["listen", "--transport", "tcp", "--relay", "subrosa://a:1/b"]).finish().refused(1);
    start(&["listen", "--transport", "tcp", "--open-port"]).finish().refused(1);
    start(&["dial", &ticket, "--open-port"]).finish().refused(1);
    start(&["listen", "--transport", "tcp", "--accept-files", "/nowhere/at/all"]).finish().refused(1);
    drop(alice);
    start(&["dial", &ticket]).finish().refused(3);
}

#[test]
fn the_steps_of_the_key_agreement_are_shown_when_asked_for() {
    let (alice, bob) = chats(&["--transport", "tcp", "-v"], &["-v"]);
    for side in [alice, bob] {
        for step in ["a link is up", "said hello", "key agreement (mls)", "proved their keys"] {
            assert!(side.stderr.contains(step), "{step}\nin {side}");
        }
    }
}

#[test]
fn a_ticket_is_drawn_as_a_code_that_scans_when_asked_for() {
    let (mut alice, ticket) = listen(&["--transport", "tcp", "--qr"]);
    alice.say("EXIT");
    let drawn = alice.finish().succeeded().stdout;
    let code: Vec<Vec<char>> =
        drawn.lines().filter(|line| line.contains('█')).map(|line| line.chars().collect()).collect();
    let side = code.iter().map(Vec::len).max().unwrap();
    let light = |x: usize, y: usize| match code.get(y / 2).and_then(|line| line.get(x)) {
        Some('█') => true,
        Some('▀') => y.is_multiple_of(2),
        Some('▄') => !y.is_multiple_of(2),
        _ => false,
    };
    let mut image =
        rqrr::PreparedImage::prepare_from_greyscale(
            side * 4,
            side * 4,
            |x, y| {
                if light(x / 4, y / 4) { 255 } else { 0 }
            },
        );
    let (_, scanned) = image.detect_grids().first().expect("a code").decode().expect("a readable code");
    assert_eq!(scanned.parse::<Ticket>().unwrap(), ticket.parse().unwrap());
}
