//! Direct chats for interactors: two people, no account, no server that could read along. [`prepare`] makes the ends that
//! [`DirectOptions`] name; [`Direct::begin`] runs a chat over them, with wishes in and [`Notice`]s out.
//!
//! ```text
//!   DirectOptions ──prepare──▶ Prepared (ticket) ──begin──▶ Direct (wishes) ──▶ task: subrosa_direct::Chat ──▶ DirectNotices
//! ```
//!
//! Nothing here needs a profile. A chat ends with its [`Direct`], or when the other side leaves.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use subrosa_direct::{
    Chat, ChatError, Communicator, CommunicatorError, Encryption, Encryptor, Interactor, Invitation, Pairing,
    RelayLink, Ticket, Unseen, Way, encryptor, quic, tcp,
};
use subrosa_engine::api::{Failure, FailureCode};
use subrosa_net::direct::quic::Endpoint;
use subrosa_wire::proto::DirectRefusalCode;
use subrosa_wire::ticket::{SCHEME, is_address};
use tokio::sync::mpsc;

use crate::drive::now;

pub use subrosa_direct::{Direction, Event, FileFacts, FileOutcome, Path, ShortString, Wish};

/// Wishes that wait.
const QUEUE: usize = 64;
/// Notices that wait; who is further behind does not look at the chat, and it ends.
const NOTICES: usize = 4096;

/// How frames travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// Through NATs, directly where possible and through the relay where not.
    #[default]
    Quic,
    /// Over one TCP connection.
    Tcp,
}

/// Which chat to begin.
#[derive(Debug, Clone)]
pub enum DirectOptions {
    /// Wait for somebody, with a ticket to pass on.
    Listen {
        /// How frames travel.
        transport: Transport,
        /// With what they are encrypted.
        encryption: Encryption,
        /// Where the two sides meet (quic); `None`: in one network only.
        relay: Option<RelayLink>,
        /// Where to listen (tcp); `None`: a free port of this machine, for this machine only.
        listen: Option<SocketAddr>,
        /// Turn away who dials without the ticket. Over quic nobody finds us without it anyway.
        ticket_only: bool,
    },
    /// Dial somebody who listens.
    Dial {
        /// The ticket, or `HOST:PORT` (tcp): then the words that both sides see have to be compared.
        to: String,
        /// Insist on this one; `None`: as the ticket says.
        transport: Option<Transport>,
        /// Insist on this one; `None`: as the ticket says, or `mls`.
        encryption: Option<Encryption>,
    },
}

/// What both sides may ask for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Allowed {
    /// `pseudo`, which is no encryption at all.
    pub danger_no_encryption: bool,
    /// Ask the router at home to open a port for as long as the chat lasts (quic).
    pub open_port: bool,
}

/// Ends that are made, and wait for their chat.
pub struct Prepared {
    /// With what it will be encrypted.
    pub encryption: Encryption,
    /// What to pass on, if we listen.
    pub ticket: Option<String>,
    /// What a person should know of it: sentences.
    pub notes: Vec<String>,
    communicator: Box<dyn Communicator>,
    pairing: Pairing,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared").field("encryption", &self.encryption).finish_non_exhaustive()
    }
}

impl Prepared {
    /// The chat over these ends. Files that are offered go to `folder`, unasked if so wanted.
    pub fn chat<I: Interactor>(
        self,
        interactor: I,
        folder: PathBuf,
        unasked: bool,
    ) -> Chat<Box<dyn Communicator>, Box<dyn Encryptor>, I> {
        let encryptor: Box<dyn Encryptor> = encryptor::danger_any(self.encryption);
        Chat::new(self.communicator, encryptor, interactor).pairing(self.pairing).files(folder, unasked)
    }
}

/// Makes the ends.
///
/// # Errors
/// The options contradict each other, the ticket is none, or this machine gives no port.
pub async fn prepare(options: DirectOptions, allowed: Allowed) -> Result<Prepared, Failure> {
    match options {
        DirectOptions::Listen { transport, encryption, relay, listen, ticket_only } => {
            prepare_listen(transport, encryption, relay, listen, ticket_only, allowed).await
        }
        DirectOptions::Dial { to, transport, encryption } => prepare_dial(to, transport, encryption, allowed).await,
    }
}

async fn prepare_listen(
    transport: Transport,
    encryption: Encryption,
    relay: Option<RelayLink>,
    listen: Option<SocketAddr>,
    ticket_only: bool,
    allowed: Allowed,
) -> Result<Prepared, Failure> {
    meant(encryption, allowed)?;
    let invitation = Invitation::generate();
    let mut notes = Vec::new();
    let (communicator, way): (Box<dyn Communicator>, Way) = match (transport, relay, listen) {
        (Transport::Tcp, Some(_), _) => return Err(Failure::usage("no_relay", "a relay is for --transport quic")),
        (Transport::Tcp, None, _) if allowed.open_port => return Err(no_port_for_tcp()),
        (Transport::Quic, _, Some(_)) => return Err(Failure::usage("no_listen", "--listen is for --transport tcp")),
        (Transport::Tcp, None, listen) => {
            let address = listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 0).into());
            let listener = tcp::TcpListener::bind(address).await.map_err(|error| failure(&error.into()))?;
            let addresses = listener.addresses();
            (Box::new(listener), Way::Tcp(addresses))
        }
        (Transport::Quic, relay, None) => {
            if relay.is_none() {
                notes.push("without --relay only somebody in the same network can dial".to_owned());
            }
            let (listener, mut way) = quic::listen(&invitation, relay).await.map_err(|error| failure(&error.into()))?;
            if allowed.open_port {
                notes.push(open_port(listener.endpoint()).await);
                way = Way::Quic(listener.endpoint().way());
            }
            (Box::new(listener), way)
        }
    };
    let ticket = Some(invitation.ticket(encryption, way).to_string());
    let pairing = Pairing::inviting(&invitation);
    // Over QUIC nobody finds us without a ticket.
    let pairing = if ticket_only || transport == Transport::Quic { pairing.ticket_only() } else { pairing };
    Ok(Prepared { encryption, ticket, notes, communicator, pairing })
}

async fn prepare_dial(
    to: String,
    transport: Option<Transport>,
    encryption: Option<Encryption>,
    allowed: Allowed,
) -> Result<Prepared, Failure> {
    let has_scheme = to.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME));
    if !has_scheme && is_address(&to) {
        if transport == Some(Transport::Quic) {
            return Err(Failure::usage(
                "ticket_needed",
                "quic needs a ticket: an address alone does not say who is dialled",
            ));
        }
        if allowed.open_port {
            return Err(no_port_for_tcp());
        }
        let encryption = encryption.unwrap_or(Encryption::Mls);
        meant(encryption, allowed)?;
        let communicator = Box::new(tcp::TcpDialer::to(&[to]).map_err(|error| failure(&error.into()))?);
        return Ok(Prepared { encryption, ticket: None, notes: Vec::new(), communicator, pairing: Pairing::unknown() });
    }
    let ticket: Ticket = to.parse().map_err(|error: subrosa_wire::TicketError| {
        Failure::usage("bad_ticket", format!("this is no ticket and no HOST:PORT: {error}"))
    })?;
    if ticket.is_expired(now().0) {
        return Err(Failure::usage("expired_ticket", "the time of this ticket is over; ask for a fresh one"));
    }
    let encryption = encryption.unwrap_or(ticket.encryption);
    meant(encryption, allowed)?;
    let mut notes = Vec::new();
    let pairing = Pairing::invited(&ticket).map_err(|error| Failure::usage("bad_ticket", error.to_string()))?;
    let communicator: Box<dyn Communicator> = match (&ticket.way, transport) {
        (Way::Tcp(_), None | Some(Transport::Tcp)) if allowed.open_port => return Err(no_port_for_tcp()),
        (Way::Tcp(addresses), None | Some(Transport::Tcp)) => {
            Box::new(tcp::TcpDialer::to(addresses).map_err(|error| failure(&error.into()))?)
        }
        (Way::Quic(_), None | Some(Transport::Quic)) => {
            let dialer = quic::dial(&pairing, &ticket).await.map_err(|error| failure(&error.into()))?;
            if allowed.open_port {
                notes.push(open_port(dialer.endpoint()).await);
            }
            Box::new(dialer)
        }
        _ => return Err(Failure::usage("other_transport", "the ticket is for the other transport")),
    };
    Ok(Prepared { encryption, ticket: None, notes, communicator, pairing })
}

fn no_port_for_tcp() -> Failure {
    Failure::usage("no_port", "--open-port is for --transport quic")
}

/// Asks the router for a port. Without one the link may be relayed, and nothing worse.
async fn open_port(endpoint: &Endpoint) -> String {
    match endpoint.open_port().await {
        Ok(_address) => "the router opened a port for this chat".to_owned(),
        Err(error) => format!("the router opened no port ({error}); the link may be relayed"),
    }
}

/// No encryption only for who says so.
fn meant(encryption: Encryption, allowed: Allowed) -> Result<(), Failure> {
    if encryption == Encryption::Pseudo && !allowed.danger_no_encryption {
        let message = "pseudo is no encryption: everybody on the way reads and changes what is said. If you mean it, say \
                       --danger-no-encryption on both sides";
        return Err(Failure::usage("danger", message));
    }
    Ok(())
}

/// What ended a chat, with its exit code.
pub fn failure(error: &ChatError) -> Failure {
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

/// What an interactor is told.
#[derive(Debug)]
pub enum Notice {
    /// Something in the chat. Texts and names are the other side's.
    Event(Event),
    /// It is over; the last notice. `None`: one of the two left.
    Ended(Option<Failure>),
}

/// A chat that runs. Dropping it leaves.
#[derive(Debug)]
pub struct Direct {
    wishes: mpsc::Sender<Wish>,
}

/// What happens, in order.
#[derive(Debug)]
pub struct DirectNotices {
    notices: mpsc::Receiver<Notice>,
}

impl DirectNotices {
    /// The next notice; `None` behind [`Notice::Ended`].
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Notice> {
        self.notices.recv().await
    }
}

impl Direct {
    /// Runs a chat. Files that are offered and accepted go to `folder`.
    pub fn begin(prepared: Prepared, folder: PathBuf) -> (Self, DirectNotices) {
        let (wishes, wished) = mpsc::channel(QUEUE);
        let (tell, notices) = mpsc::channel(NOTICES);
        let interactor = Channels { wished, tell: tell.clone() };
        tokio::spawn(async move {
            let ended = prepared.chat(interactor, folder, false).run().await;
            let _nobody_listens = tell.send(Notice::Ended(ended.err().map(|error| failure(&error)))).await;
        });
        (Self { wishes }, DirectNotices { notices })
    }

    /// Wishes for something, if not too much is wished for already.
    ///
    /// # Errors
    /// The chat is over, or too much waits.
    pub fn try_wish(&self, wish: Wish) -> Result<(), Failure> {
        self.wishes.try_send(wish).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                Failure::new(FailureCode::RateLimited, "too_much_waits", "too much waits here; try again later")
            }
            mpsc::error::TrySendError::Closed(_) => Failure::usage("chat_over", "this chat is over; begin another one"),
        })
    }

    /// Whether the chat is over.
    pub fn is_over(&self) -> bool {
        self.wishes.is_closed()
    }

    /// Wishes for something. Waits while too much does.
    ///
    /// # Errors
    /// The chat is over.
    ///
    /// # Cancel safety
    /// A cancelled call has wished for nothing.
    pub async fn wish(&self, wish: Wish) -> Result<(), Failure> {
        self.wishes.send(wish).await.map_err(|_| Failure::usage("chat_over", "this chat is over; begin another one"))
    }
}

struct Channels {
    wished: mpsc::Receiver<Wish>,
    tell: mpsc::Sender<Notice>,
}

impl Interactor for Channels {
    fn next(&mut self) -> BoxFuture<'_, Option<Wish>> {
        // Whoever drops their side wants to leave.
        self.wished.recv().map(|wish| Some(wish.unwrap_or(Wish::Leave))).boxed()
    }

    fn show(&mut self, event: Event) -> Result<(), Unseen> {
        self.tell.try_send(Notice::Event(event)).map_err(|_| Unseen("nobody looks at this chat any more".to_owned()))
    }
}
