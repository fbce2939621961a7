//! The examples of the library, as programs: a server and a client over each transport with each encryption, and the bot.

use std::path::PathBuf;

use crate::harness::{Process, SUBROSA, headless};

/// An example's program, which cargo puts beside the binary that is tested.
fn example(name: &str, arguments: &[&str]) -> Process {
    let folder = PathBuf::from(SUBROSA).parent().expect("a folder of programs").join("examples");
    let mut command = headless(folder.join(name));
    command.args(arguments);
    Process::start(command)
}

fn ticket_of(server: &mut Process) -> String {
    server.expect_text("subrosa-direct:")
}

#[test]
fn a_server_and_a_client_of_ten_lines_chat_over_each_transport_with_each_encryption() {
    for transport in ["tcp", "quic"] {
        for encryption in ["mls", "rsa", "pseudo"] {
            let mut server = example(&format!("{transport}_server"), &[encryption]);
            let ticket = ticket_of(&mut server);
            let mut client = example(&format!("{transport}_client"), &[&ticket]);
            client.say("hello, server");
            server.expect_text("> hello, server");
            server.say("hello, client");
            client.expect_text("> hello, client");
            client.say("EXIT");
            server.expect_text("left");
            client.finish().succeeded();
            server.finish().succeeded();
        }
    }
}

#[test]
fn an_interactor_of_twenty_lines_answers_the_program() {
    let mut bot = example("echo_bot", &[]);
    let ticket = ticket_of(&mut bot);
    let mut command = headless(SUBROSA);
    command.args(["direct", "dial", &ticket]);
    let mut bob = Process::start(command);
    bob.say("how quiet it is");
    bob.expect_text("peer: HOW QUIET IT IS");
    bob.say("EXIT");
    bob.finish().succeeded();
    bot.finish().succeeded();
}
