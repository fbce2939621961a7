//! The commands, one file a group.

pub mod account;
pub mod chat;
pub mod devices;
pub mod direct;
pub mod doctor;
pub mod export;
pub mod group;
pub mod invite_link;
pub mod invites;
pub mod read;
pub mod relay;
pub mod role;
pub mod room;
pub mod rpc;
pub mod send;
pub mod serve;
pub mod tui;
pub mod up;
pub mod verify;
pub mod web;

use subrosa_client::api::{Command as Request, Reply};
use subrosa_client::keys::KeyChoice;
use subrosa_client::{Client, Opening};

use crate::cli::{Cli, Command, Global};
use crate::news::News;
use crate::output::{Outcome, Output, safe};
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
        self.close_to_others()?;
        Client::open(Opening { profile: self.global.profile()?, create, ask: secrets::passphrase() }).await
    }

    /// Closes what others can read of the profile, and says so: until now they may have.
    pub fn close_to_others(&self) -> Outcome {
        for (path, closed) in self.global.profile()?.close_to_others()? {
            let now = if closed {
                "that right is taken away now"
            } else {
                "and that cannot be changed there; move the profile to another place"
            };
            eprintln!("others could read {}; {now}", safe(&path.display().to_string()));
        }
        Ok(())
    }

    /// Opens the profile, which must be there, and asks one thing.
    pub async fn ask(&self, request: Request) -> Outcome<Reply> {
        self.ask_then(request, async |_, reply| Ok(reply)).await
    }

    /// Asks one thing and shows the answer.
    pub async fn show(&self, request: Request) -> Outcome {
        self.ask_then(request, async |_, reply| render::reply(self.out, &reply)).await
    }

    /// Asks one thing, and does the rest while the profile is still open. Says what came meanwhile that a person must hear
    /// of.
    pub async fn ask_then<T>(
        &self,
        request: Request,
        then: impl AsyncFnOnce(&Client, Reply) -> Outcome<T>,
    ) -> Outcome<T> {
        let client = self.open(None).await?;
        let mut news = match News::watch(&client, &request).await {
            Ok(news) => news,
            Err(failure) => {
                client.close().await;
                return Err(failure);
            }
        };
        let outcome = match client.call(request).await {
            Ok(reply) => then(&client, reply).await,
            Err(failure) => Err(failure),
        };
        news.tell(outcome.as_ref().err()).await;
        client.close().await;
        news.tell_rest().await;
        outcome
    }
}

/// Does what the command line says.
pub async fn run(cli: Cli) -> Outcome {
    let context = Context { out: Output::new(cli.global.json), global: cli.global };
    match cli.command.unwrap_or_else(|| Command::Up(up::Arguments::default())) {
        Command::Up(arguments) => up::run(&context, arguments).await,
        Command::Serve(arguments) => serve::run(&context, arguments).await,
        Command::Relay(arguments) => relay::run(&context, arguments).await,
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
        Command::Direct(command) => direct::run(&context, command).await,
        Command::Room(arguments) => room::run(&context, arguments).await,
        Command::Web(arguments) => web::run(&context, arguments).await,
        Command::Rpc(arguments) => rpc::run(&context, &arguments).await,
        Command::Tui(arguments) => tui::run(&context, arguments).await,
        Command::Doctor => doctor::run(&context).await,
    }
}
