//! The commands, one file a group.

pub mod account;
pub mod chat;
pub mod devices;
pub mod doctor;
pub mod export;
pub mod group;
pub mod invite_link;
pub mod invites;
pub mod read;
pub mod role;
pub mod send;
pub mod serve;
pub mod up;
pub mod verify;

use subrosa_client::api::{Command as Request, Reply};
use subrosa_client::keys::KeyChoice;
use subrosa_client::{Client, Opening};

use crate::cli::{Cli, Command, Global};
use crate::output::{Outcome, Output};
use crate::{render, secrets};

/// What every command has at hand.
#[derive(Debug)]
pub struct Context {
    /// Where results go.
    pub out: Output,
    global: Global,
}

impl Context {
    /// The flags of every command.
    pub const fn global(&self) -> &Global {
        &self.global
    }

    /// Opens the profile; `create` says how, if it may be made.
    pub async fn open(&self, create: Option<KeyChoice>) -> Outcome<Client> {
        Client::open(Opening { profile: self.global.profile()?, create, ask: secrets::passphrase() }).await
    }

    /// Opens the profile, which must be there, and asks one thing.
    pub async fn ask(&self, request: Request) -> Outcome<Reply> {
        let client = self.open(None).await?;
        let reply = client.call(request).await;
        client.close().await;
        reply
    }

    /// Asks one thing and shows the answer.
    pub async fn show(&self, request: Request) -> Outcome {
        render::reply(self.out, &self.ask(request).await?)
    }
}

/// Does what the command line says.
pub async fn run(cli: Cli) -> Outcome {
    let context = Context { out: Output::new(cli.global.json), global: cli.global };
    match cli.command.unwrap_or_else(|| Command::Up(up::Arguments::default())) {
        Command::Up(arguments) => up::run(&context, arguments).await,
        Command::Serve(arguments) => serve::run(&context, arguments).await,
        Command::Signup(arguments) => account::sign_up(&context, arguments).await,
        Command::Login(arguments) => account::log_in(&context, arguments).await,
        Command::Logout => account::log_out(&context).await,
        Command::Whoami => context.show(Request::WhoAmI).await,
        Command::Devices(arguments) => devices::run(&context, arguments).await,
        Command::Send(arguments) => send::run(&context, arguments).await,
        Command::Read(arguments) => read::run(&context, arguments).await,
        Command::Reload => context.show(Request::Reload).await,
        Command::Chats => context.show(Request::Chats).await,
        Command::Group(command) => group::run(&context, command).await,
        Command::Invites => context.show(Request::Invites).await,
        Command::Accept(which) => context.show(Request::Accept { id: which.id }).await,
        Command::Decline(which) => context.show(Request::Decline { id: which.id }).await,
        Command::Role(command) => role::run(&context, command).await,
        Command::InviteLink(command) => invite_link::run(&context, command).await,
        Command::Verify(arguments) => verify::run(&context, arguments).await,
        Command::Export(arguments) => export::run(&context, arguments).await,
        Command::Chat(arguments) => chat::run(&context, arguments).await,
        Command::Doctor => doctor::run(&context).await,
    }
}
