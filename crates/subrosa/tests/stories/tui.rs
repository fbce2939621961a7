//! The full-screen client, at a terminal of 80 columns and 24 rows, as people sit at it.

use rustix::process::Signal;

use crate::harness::{PASSWORD, Profile, Server, Terminal};

const ALT_ENTER: &str = "\x1b\r";
const F4: &str = "\x1bOS";

fn open(profile: &Profile, chat: &str) -> Terminal {
    let mut terminal = Terminal::start(profile, &["tui"]);
    terminal.expect("online");
    // Where nothing is open, who types is looking for somebody.
    if !terminal.screen().contains(&format!("Message to {chat}")) {
        terminal.keys("\x1bk");
        terminal.expect("Go to");
        terminal.keys(chat);
        terminal.keys("\r");
    }
    terminal.expect(&format!("Message to {chat}"));
    terminal
}

#[test]
fn from_nothing_to_the_first_message_between_two_people() {
    let server = Server::start();
    let folder = server.folder();
    // Alice has nothing, not even a server.
    let alice = server.profile("alice").at(&folder.join("tui-alice"));
    let mut alices = Terminal::start(&alice, &[]);
    alices.expect("A server of your own");
    alices.keys("alice\r");
    alices.keys(PASSWORD);
    alices.keys("\r");
    alices.keys(PASSWORD);
    alices.keys("\r");
    alices.expect("The link for others");
    alices.expect("subrosa://127.0.0.1:");
    let shown = alices.screen();
    assert!(!alices.written().contains(PASSWORD), "the password is not shown");
    let link: String = std::fs::read_to_string(alice.home().join("server.link")).unwrap().trim().into();
    assert!(shown.contains(&link), "{shown}");
    alices.keys("\x1b");
    alices.expect_gone("The link for others");

    // Bob has the link.
    let bob = server.profile("bob").at(&folder.join("tui-bob"));
    let mut bobs = Terminal::start(&bob, &["tui"]);
    bobs.expect("Join a server");
    bobs.keys("\x1b[B\r");
    bobs.expect("Make an account");
    bobs.paste(&link);
    bobs.keys("\tbob\t");
    bobs.keys(&format!("{PASSWORD}\t{PASSWORD}\t\t\t\t\r"));
    bobs.expect("@bob · online");
    bobs.keys("\x1bk");
    bobs.expect("Go to");
    bobs.keys("@alice\r");
    bobs.expect("Message to @alice");
    bobs.enter("Hello from the other terminal");
    alices.expect("1 invitation");
    alices.keys(F4);
    alices.expect("@bob wants to chat with you");
    alices.keys("\r");
    alices.expect("Hello from the other terminal");
    alices.keys("What a fine");
    alices.keys(ALT_ENTER);
    alices.enter("first run");
    bobs.expect("What a fine");
    bobs.expect("first run");
    bobs.keys("\x11");
    assert!(bobs.ended().success());
    alices.keys("/quit\r");
    assert!(alices.ended().success());
}

#[test]
fn a_group_is_made_and_its_people_change() {
    let server = Server::start();
    let [alice, bob, carol] = server.people(["alice", "bob", "carol"]);
    alice.send("@bob", "hello");
    bob.ok(&["accept", "@alice"]);
    let mut terminal = open(&alice, "@bob");
    terminal.enter("/create garden @bob");
    terminal.expect("Message to #garden");
    bob.ok(&["accept", "#garden"]);
    terminal.expect("@bob joined");
    terminal.enter("/add @carol");
    terminal.expect(" done ");
    carol.ok(&["accept", "#garden"]);
    terminal.expect("@carol joined");
    bob.send("#garden", "@alice the beans are up");
    terminal.expect("the beans are up");
    terminal.enter("/members");
    terminal.expect("Members");
    terminal.expect("@carol");
    terminal.keys("\x1b");
    terminal.expect_gone("Members");
    terminal.enter("/rename orchard");
    terminal.expect("it is called #orchard now");
    terminal.enter("/remove @carol");
    terminal.expect("@carol left");
    assert_eq!(alice.members("#orchard"), ["alice", "bob"]);
    terminal.keys("EXIT\r");
    assert!(terminal.ended().success());
}

#[test]
fn roles_are_changed_and_a_refusal_is_said() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "hello");
    bob.ok(&["accept", "@alice"]);
    let mut alices = open(&alice, "@bob");
    let mut bobs = open(&bob, "@alice");
    bobs.enter("/role @alice beginner");
    bobs.expect_gone("/role @alice beginner");
    assert_eq!(alice.role_of("alice"), "super-admin");
    alices.enter("/role @bob advanced");
    alices.expect("@bob is advanced now");
    bobs.expect("your role is now advanced");
    bobs.enter("/create garden @alice");
    bobs.expect("Message to #garden");
}

#[test]
fn what_is_mistyped_is_never_sent_and_many_lines_are_asked_about() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "hello");
    bob.ok(&["accept", "@alice"]);
    let mut terminal = open(&bob, "@alice");
    terminal.enter("/pasword hunter2");
    terminal.expect("nothing was sent");
    terminal.keys("\x15");
    terminal.paste("one\ntwo\nthree\nfour\nfive");
    terminal.expect("Send what was pasted?");
    terminal.keys("n");
    terminal.expect_gone("Send what was pasted?");
    terminal.paste("six\nseven\neight\nnine\nten");
    terminal.expect("Send what was pasted?");
    terminal.keys("y");
    let history = alice.wait_for("@bob", "bob: six\nseven\neight\nnine\nten");
    assert_eq!(history, ["alice: hello", "bob: six\nseven\neight\nnine\nten"]);
}

#[test]
fn the_screen_takes_any_size_and_a_signal_gives_the_terminal_back() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "hello");
    bob.ok(&["accept", "@alice"]);
    for signal in [Signal::TERM, Signal::HUP] {
        let mut terminal = open(&bob, "@alice");
        terminal.resize(10, 40);
        terminal.expect_gone("find people");
        terminal.resize(50, 140);
        terminal.expect("Message to @alice");
        terminal.expect("hello");
        terminal.signal(signal);
        assert!(terminal.ended().success());
    }
}

#[test]
fn what_is_written_while_the_server_is_away_goes_out_when_it_is_back() {
    let mut server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "hello");
    bob.ok(&["accept", "@alice"]);
    let mut terminal = open(&bob, "@alice");
    server.kill();
    terminal.expect("OFFLINE");
    terminal.enter("written in the dark");
    terminal.expect("○ written in the dark");
    server.start_again();
    terminal.expect("online");
    terminal.expect_gone("○ written in the dark");
    assert_eq!(alice.wait_for("@bob", "bob: written in the dark").len(), 2);
}

#[test]
fn a_room_needs_no_account() {
    let server = Server::start();
    let guest = server.profile("guest");
    let mut terminal = Terminal::start(&guest, &["tui"]);
    terminal.expect("Enter a room");
    terminal.keys("\x1b[B\x1b[B\x1b[B\r");
    terminal.expect("No account is needed where");
    terminal.keys("\t");
    terminal.paste(server.link());
    terminal.keys("\totter\r");
    terminal.expect("you are otter in here");
    let other = server.profile("other");
    let mut others = other.room(&["-u", "heron"]);
    terminal.expect("heron came");
    terminal.enter("hello, heron");
    others.expect_text("otter: hello, heron");
    others.say("hello, otter");
    terminal.expect("hello, otter");
    terminal.enter("/verify");
    terminal.expect("Words to compare");
    terminal.keys("\x1b");
    terminal.enter("/leave");
    terminal.expect("Join a server");
}
