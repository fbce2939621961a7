//! `direct`: two people, no account, no server that could read along.

mod console;
mod show;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand, ValueEnum};
use subrosa_client::api::{Command as Request, DirectPolicy, Failure, FailureCode};
use subrosa_direct::{
    Chat, ChatError, Communicator, CommunicatorError, Encryption, Encryptor, Invitation, Pairing, RelayLink, Ticket,
    Way, encryptor, quic, tcp,
};
use subrosa_net::direct::quic::Endpoint;
use subrosa_wire::proto::DirectRefusalCode;
use subrosa_wire::ticket::{SCHEME, is_address};

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
    meant(encryption, &common)?;
    let show = Show::new(context.out, encryption);
    let invitation = Invitation::generate();
    let (communicator, way): (Box<dyn Communicator>, Way) = match (transport, relay, listen) {
        (Transport::Tcp, Some(_), _) => return Err(Failure::usage("no_relay", "a relay is for --transport quic")),
        (Transport::Tcp, None, _) if common.open_port => return Err(no_port_for_tcp()),
        (Transport::Quic, _, Some(_)) => return Err(Failure::usage("no_listen", "--listen is for --transport tcp")),
        (Transport::Tcp, None, listen) => {
            let address = listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 0).into());
            let listener = tcp::TcpListener::bind(address).await.map_err(|error| failure(&error.into()))?;
            let addresses = listener.addresses();
            (Box::new(listener), Way::Tcp(addresses))
        }
        (Transport::Quic, relay, None) => {
            if relay.is_none() {
                show.note("without --relay only somebody in the same network can dial");
            }
            let (listener, mut way) = quic::listen(&invitation, relay).await.map_err(|error| failure(&error.into()))?;
            if common.open_port {
                open_port(&show, listener.endpoint()).await;
                way = Way::Quic(listener.endpoint().way());
            }
            (Box::new(listener), way)
        }
    };
    let ticket = invitation.ticket(encryption, way).to_string();
    show.ticket(&ticket)?;
    draw(context, &show, &ticket, qr)?;
    let pairing = Pairing::inviting(&invitation);
    // Over QUIC nobody finds us without a ticket.
    let pairing = if ticket_only || transport == Transport::Quic { pairing.ticket_only() } else { pairing };
    show.note("pass the ticket on, by a way you trust; waiting (/help lists commands, EXIT leaves)");
    chat(show, communicator, encryption, pairing, common).await
}

async fn dial(context: &Context, arguments: Dial) -> Outcome {
    let Dial { to, transport, encryption, common } = arguments;
    let has_scheme = to.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME));
    if !has_scheme && is_address(&to) {
        if transport == Some(Transport::Quic) {
            return Err(Failure::usage(
                "ticket_needed",
                "quic needs a ticket: an address alone does not say who is dialled",
            ));
        }
        if common.open_port {
            return Err(no_port_for_tcp());
        }
        let encryption = encryption.unwrap_or(Encryption::Mls);
        meant(encryption, &common)?;
        let show = Show::new(context.out, encryption);
        let dialer = tcp::TcpDialer::to(&[to]).map_err(|error| failure(&error.into()))?;
        return chat(show, Box::new(dialer), encryption, Pairing::unknown(), common).await;
    }
    let ticket: Ticket = to.parse().map_err(|error: subrosa_wire::TicketError| {
        Failure::usage("bad_ticket", format!("this is no ticket and no HOST:PORT: {error}"))
    })?;
    if ticket.is_expired(now()) {
        return Err(Failure::usage("expired_ticket", "the time of this ticket is over; ask for a fresh one"));
    }
    let encryption = encryption.unwrap_or(ticket.encryption);
    meant(encryption, &common)?;
    let show = Show::new(context.out, encryption);
    let pairing = Pairing::invited(&ticket).map_err(|error| Failure::usage("bad_ticket", error.to_string()))?;
    let communicator: Box<dyn Communicator> = match (&ticket.way, transport) {
        (Way::Tcp(_), None | Some(Transport::Tcp)) if common.open_port => return Err(no_port_for_tcp()),
        (Way::Tcp(addresses), None | Some(Transport::Tcp)) => {
            Box::new(tcp::TcpDialer::to(addresses).map_err(|error| failure(&error.into()))?)
        }
        (Way::Quic(_), None | Some(Transport::Quic)) => {
            let dialer = quic::dial(&pairing, &ticket).await.map_err(|error| failure(&error.into()))?;
            if common.open_port {
                open_port(&show, dialer.endpoint()).await;
            }
            Box::new(dialer)
        }
        _ => return Err(Failure::usage("other_transport", "the ticket is for the other transport")),
    };
    chat(show, communicator, encryption, pairing, common).await
}

fn no_port_for_tcp() -> Failure {
    Failure::usage("no_port", "--open-port is for --transport quic")
}

/// Asks the router for a port. Without one the link may be relayed, and nothing worse.
async fn open_port(show: &Show, endpoint: &Endpoint) {
    match endpoint.open_port().await {
        Ok(_address) => show.note("the router opened a port for this chat"),
        Err(error) => show.note(format!("the router opened no port ({error}); the link may be relayed")),
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// No encryption only for who says so.
fn meant(encryption: Encryption, common: &Common) -> Outcome {
    if encryption == Encryption::Pseudo && !common.danger_no_encryption {
        let message = "pseudo is no encryption: everybody on the way reads and changes what is said. If you mean it, say \
                       --danger-no-encryption on both sides";
        return Err(Failure::usage("danger", message));
    }
    Ok(())
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

async fn chat(
    show: Show,
    communicator: Box<dyn Communicator>,
    encryption: Encryption,
    pairing: Pairing,
    common: Common,
) -> Outcome {
    let console = Console::open(show.clone())?;
    let encryptor: Box<dyn Encryptor> = encryptor::danger_any(encryption);
    let unasked = common.accept_files.is_some();
    let folder = match common.accept_files {
        Some(folder) => existing(folder)?,
        None => PathBuf::from("."),
    };
    let chat = Chat::new(communicator, encryptor, console).pairing(pairing).files(folder, unasked);
    chat.run().await.map_err(|error| {
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

/// What ended a chat, with its exit code.
fn failure(error: &ChatError) -> Failure {
    let class = match error {
        ChatError::WrongKey
        | ChatError::NotProved
        | ChatError::Refused(DirectRefusalCode::WrongKey)
        | ChatError::Communicator(CommunicatorError::WrongPeer(_)) => FailureCode::Untrusted,
        ChatError::EncryptionMismatch { .. } | ChatError::Refused(_) => FailureCode::Usage,
        ChatError::Encryptor(_) => FailureCode::Unexpected,
        ChatError::Communicator(_)
        | ChatError::Handshake(_)
        | ChatError::Lost(_)
        | ChatError::Undelivered { .. }
        | ChatError::Unseen(_) => FailureCode::Environment,
    };
    Failure::new(class, error.code(), error.to_string())
}
