//! `direct`: two people, no account, no server that could read along.

mod console;
mod show;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use subrosa_client::api::{Command as Request, DirectPolicy, Failure};
use subrosa_client::direct::{self as chats, Allowed, DirectOptions, Prepared, failure, prepare};
use subrosa_direct::{Encryption, RelayLink};

use self::console::Console;
use self::show::Show;
use super::Context;
use crate::output::Outcome;
use crate::qr;

/// `subrosa direct`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Wait for somebody, and print a ticket to pass on
    Listen(Listen),
    /// Dial somebody who listens
    Dial(Dial),
    /// Show or set when private chats of this account take direct links
    Policy {
        /// contacts: when there is something to say; never; always: as long as both are there
        policy: Option<Policy>,
    },
}

/// When private chats take direct links: with people whose chat was accepted, and nobody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Policy {
    /// When there is something to say
    Contacts,
    /// Everything goes through the server
    Never,
    /// As long as both are there
    Always,
}

impl From<Policy> for DirectPolicy {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Contacts => Self::Contacts,
            Policy::Never => Self::Never,
            Policy::Always => Self::Always,
        }
    }
}

/// How frames travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Transport {
    /// Through NATs, directly where possible and through the relay where not
    Quic,
    /// Over one TCP connection
    Tcp,
}

impl From<Transport> for chats::Transport {
    fn from(transport: Transport) -> Self {
        match transport {
            Transport::Quic => Self::Quic,
            Transport::Tcp => Self::Tcp,
        }
    }
}

/// Flags of both sides.
#[derive(Debug, Args)]
struct Common {
    /// Save offered files to this folder without asking
    #[arg(long, value_name = "DIR")]
    accept_files: Option<PathBuf>,
    /// Allow `pseudo`, which is no encryption at all: everybody on the way reads and changes what is said
    #[arg(long)]
    danger_no_encryption: bool,
    /// Ask the router at home to open a port for as long as the chat lasts (PCP): helps when the other side is behind a hard
    /// NAT (quic)
    #[arg(long)]
    open_port: bool,
}

impl Common {
    const fn allowed(&self) -> Allowed {
        Allowed { danger_no_encryption: self.danger_no_encryption, open_port: self.open_port }
    }
}

/// `subrosa direct listen`.
#[derive(Debug, Args)]
pub struct Listen {
    /// How frames travel
    #[arg(long, value_enum, default_value = "quic")]
    transport: Transport,
    /// mls (post-quantum), rsa, or pseudo (none: for tests)
    #[arg(long, default_value = "mls", value_name = "mls|rsa|pseudo")]
    encryption: Encryption,
    /// Where the two sides meet: the link of a server or of a relay (quic) [default: none, for one network]
    #[arg(long, value_name = "LINK")]
    relay: Option<RelayLink>,
    /// Where to listen (tcp) [default: 127.0.0.1, a free port]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// Turn away who dials without the ticket
    #[arg(long)]
    ticket_only: bool,
    /// Draw the QR code also where it would not be drawn by itself
    #[arg(long)]
    qr: bool,
    #[command(flatten)]
    common: Common,
}

/// `subrosa direct dial`.
#[derive(Debug, Args)]
pub struct Dial {
    /// The ticket, or HOST:PORT (tcp): then compare the words that both sides see
    #[arg(value_name = "TICKET")]
    to: String,
    /// How frames travel [default: as the ticket says]
    #[arg(long, value_enum)]
    transport: Option<Transport>,
    /// Insist on this encryption [default: as the ticket says, or mls]
    #[arg(long, value_name = "mls|rsa|pseudo")]
    encryption: Option<Encryption>,
    #[command(flatten)]
    common: Common,
}

/// Listens or dials, and chats.
pub async fn run(context: &Context, command: Command) -> Outcome {
    match command {
        Command::Listen(arguments) => listen(context, arguments).await,
        Command::Dial(arguments) => dial(context, arguments).await,
        Command::Policy { policy } => context.show(Request::Direct { policy: policy.map(Into::into) }).await,
    }
}

async fn listen(context: &Context, arguments: Listen) -> Outcome {
    let Listen { transport, encryption, relay, listen, ticket_only, qr, common } = arguments;
    let transport = transport.into();
    let options = DirectOptions::Listen { transport, encryption, relay, listen, ticket_only };
    let prepared = prepare(options, common.allowed()).await?;
    let show = Show::new(context.out, encryption);
    prepared.notes.iter().for_each(|note| show.note(note));
    if let Some(ticket) = &prepared.ticket {
        show.ticket(ticket)?;
        draw(context, &show, ticket, qr)?;
    }
    show.note("pass the ticket on, by a way you trust; waiting (/help lists commands, EXIT leaves)");
    chat(show, prepared, common).await
}

async fn dial(context: &Context, arguments: Dial) -> Outcome {
    let Dial { to, transport, encryption, common } = arguments;
    let options = DirectOptions::Dial { to, transport: transport.map(Into::into), encryption };
    let prepared = prepare(options, common.allowed()).await?;
    let show = Show::new(context.out, prepared.encryption);
    prepared.notes.iter().for_each(|note| show.note(note));
    chat(show, prepared, common).await
}

fn draw(context: &Context, show: &Show, ticket: &str, forced: bool) -> Outcome {
    if context.out.is_json() {
        return Ok(());
    }
    let code = qr::Code::of(ticket)?;
    if forced || qr::room().is_some_and(|room| code.fits(room)) {
        let marked = |line: &String| context.out.line(format!("{}{line}", show.mark()));
        return code.lines(qr::is_coloured()).iter().try_for_each(marked);
    }
    if qr::room().is_some() {
        show.note("for a QR code (this terminal is too small to show all of it): --qr");
    }
    Ok(())
}

async fn chat(show: Show, prepared: Prepared, common: Common) -> Outcome {
    let console = Console::open(show.clone())?;
    let unasked = common.accept_files.is_some();
    let folder = match common.accept_files {
        Some(folder) => existing(folder)?,
        None => PathBuf::from("."),
    };
    prepared.chat(console, folder, unasked).run().await.map_err(|error| {
        let failure = show.unseen().unwrap_or_else(|| failure(&error));
        let failure = Failure { message: format!("{}{}", show.mark(), failure.message), ..failure };
        // Who reads objects reads the end, too; if nobody reads any more, the exit code says so.
        let _unseen = show.failed(&failure);
        failure
    })
}

fn existing(folder: PathBuf) -> Outcome<PathBuf> {
    if folder.is_dir() {
        return Ok(folder);
    }
    Err(Failure::usage("no_folder", format!("{} is no folder: make it first", folder.display())))
}
