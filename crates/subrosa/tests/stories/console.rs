//! `subrosa chat` and `subrosa up` through pipes: plain lines are messages, words with a slash are commands.

use crate::harness::{PASSWORD, Process, Profile, SUBROSA, Server, headless};

fn friends(server: &Server) -> [Profile; 2] {
    let people = server.people(["alice", "bob"]);
    people[0].send("@bob", "hello");
    people[1].ok(&["accept", "@alice"]);
    people
}

#[test]
fn each_line_is_a_message_until_the_input_ends() {
    let server = Server::start();
    let [alice, bob] = friends(&server);
    let console = alice.run_with(&["chat", "@bob"], "one\n\n  two  \nthree, without a line end").succeeded();
    assert!(!console.stderr.contains("panicked"), "{console}");
    let came: Vec<_> = bob.history("@alice").iter().map(|text| text.trim().to_owned()).collect();
    assert_eq!(came.len(), 4, "{came:?}");
    assert_eq!([&came[1], &came[3]], ["alice: one", "alice: three, without a line end"]);
    assert!(came[2].starts_with("alice:") && came[2].ends_with("two"), "{came:?}");
}

#[test]
fn exit_and_quit_leave_after_everything_was_sent() {
    let server = Server::start();
    let [alice, bob] = friends(&server);
    for (number, word) in ["EXIT", "/quit", "/exit"].iter().enumerate() {
        let input = format!("before the end {number}\n{word}\nafter the end {number}\n");
        alice.run_with(&["chat", "@bob"], &input).succeeded();
    }
    assert_eq!(
        bob.history("@alice"),
        ["alice: hello", "alice: before the end 0", "alice: before the end 1", "alice: before the end 2"]
    );
}

#[test]
fn a_word_with_a_slash_is_a_command_and_never_sent() {
    let server = Server::start();
    let [alice, bob] = friends(&server);
    let help = alice.run_with(&["chat", "@bob"], "/help\n").succeeded();
    let printed = format!("{}\n{}", help.stdout, help.stderr);
    assert!(printed.contains("/quit") && printed.contains("EXIT"), "{printed}");
    let wrong = alice.run_with(&["chat", "@bob"], "/pasword hunter2\nafter the typing error\n");
    assert!(format!("{wrong}").contains("/help"), "{wrong}");
    assert_eq!(bob.history("@alice"), ["alice: hello", "alice: after the typing error"]);
    // Who wants to begin with a slash says it twice.
    alice.run_with(&["chat", "@bob"], "//etc/hosts is a file\n").succeeded();
    assert_eq!(bob.history("@alice").last().unwrap(), "alice: /etc/hosts is a file");
}

#[test]
fn a_conversation_goes_both_ways_through_pipes() {
    let server = Server::start();
    let [alice, bob] = friends(&server);
    let mut alices = alice.start(&["chat", "@bob"]);
    let mut bobs = bob.start(&["chat", "@alice"]);
    alices.say("can you hear me?");
    let shown = bobs.expect_text("can you hear me?");
    assert!(shown.contains("alice"), "{shown}");
    let date =
        shown.split(|c: char| !(c.is_ascii_digit() || c == '-')).any(|word| word.len() == 10 && word.starts_with("20"));
    assert!(date, "every message is shown with its date: {shown}");
    bobs.say("loud and clear");
    alices.expect_text("loud and clear");
    alices.say("EXIT");
    alices.finish().succeeded();
    bobs.end_input();
    bobs.finish().succeeded();
}

#[test]
fn the_console_prints_objects_for_programs() {
    let server = Server::start();
    let [alice, bob] = friends(&server);
    let mut console = alice.start(&["chat", "@bob", "--json"]);
    // A program takes each message once: what was read before is not shown again.
    console.say("/whoami");
    console.expect_text("super-admin");
    bob.send("@alice", "for a program");
    let line = console.expect_text("for a program");
    let message = &crate::harness::objects(&line)[0];
    assert_eq!(
        [&message["event"], &message["from"], &message["text"], &message["via"]],
        ["message", "bob", "for a program", "server"]
    );
    console.say("/nonsense");
    let line = console.expect_text("\"error\"");
    let error = &crate::harness::objects(&line)[0];
    assert_eq!(error["event"], "error");
    assert!(error["code"].is_string() && error["message"].is_string(), "{error}");
    console.say("/quit");
    console.finish().succeeded().objects();
}

#[test]
fn one_console_is_for_all_chats() {
    let server = Server::start();
    let [alice, bob, carol] = server.people(["alice", "bob", "carol"]);
    let mut console = bob.start(&["chat"]);
    alice.send("@bob", "from alice");
    console.expect_text("from alice");
    carol.send("@bob", "from carol");
    console.expect_text("from carol");
    alice.ok(&["group", "create", "garden", "@bob"]);
    console.expect_text("garden");
}

#[test]
fn a_chat_with_somebody_unknown_is_refused() {
    let server = Server::start();
    let [alice, _bob] = friends(&server);
    alice.run_with(&["chat", "#nowhere"], "hello?\n").refused(1);
    alice.run_with(&["chat", "bob"], "hello?\n").refused(1);
}

#[test]
fn up_does_the_main_job_in_one_step() {
    let server = Server::start();
    let home = server.folder().join("up");
    let up = |input: &str| {
        let mut command = headless(SUBROSA);
        command.arg("--home").arg(&home).args(["up", "-u", "alice", "--password-stdin"]);
        let mut process = Process::start(command);
        process.say(input);
        process
    };
    let mut first = up(PASSWORD);
    let line = first.expect_text("subrosa://");
    let link = line.split_whitespace().find(|word| word.starts_with("subrosa://")).unwrap().to_owned();

    let bob = server.profile("bob").through(&link).sign_up();
    bob.send("@alice", "what a fast set-up");
    first.expect_text("what a fast set-up");
    // Who accepts a chat writes there, if nothing else was chosen.
    first.say("/accept @bob");
    first.expect_error("you write to @bob now");
    first.say("as fast as you were");
    // A second window of the same person, and a command, go on beside the first.
    let mut window = up(PASSWORD);
    window.expect_error("you are @alice");
    let alice = server.profile("alice").at(&home);
    alice.send("@bob", "is it not?");
    window.expect_text("is it not?");
    assert!(bob.history("@alice").ends_with(&["alice: as fast as you were".into(), "alice: is it not?".into()]));
    window.say("EXIT");
    window.finish().succeeded();
    for file in crate::harness::absence::files_under(&home) {
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
        assert_eq!(mode & 0o077, 0, "{}", file.display());
    }
    first.say("/quit");
    first.finish().succeeded();

    // The second time the server and the account are there.
    let mut second = up(PASSWORD);
    let again = second.expect_text("subrosa://");
    assert!(again.contains(link.rsplit('/').next().unwrap()), "the same server: {again}");
    second.say("EXIT");
    second.finish().succeeded();
}

#[test]
fn up_without_a_password_in_a_pipe_names_the_flag() {
    let server = Server::start();
    let mut command = headless(SUBROSA);
    command.arg("--home").arg(server.folder().join("up")).args(["up", "-u", "alice"]);
    let said = Process::start(command).finish().refused(1);
    assert!(said.contains("--password-stdin"), "{said}");
}
