//! Who we are on a link, and whom we expect there.
//!
//! Keys are made for one chat and never stored: what outlives it is nothing. A listener with an [`Invitation`] gives out
//! tickets, which bind its key and carry a secret; a dialer with a ticket knows whom it must reach and can prove that it
//! was invited. Without tickets nobody knows anybody, and the two people compare a short authentication string.

use rand_core::{OsRng, RngCore};
use subrosa_crypto::{SigningKey, VerifyingKey};
use subrosa_wire::ticket::Way;
use subrosa_wire::{Encryption, Ticket};
use zeroize::Zeroizing;

/// What a listener invites with: its key and a secret, for one chat.
#[derive(Clone)]
pub struct Invitation {
    key: SigningKey,
    secret: Secret,
}

impl Invitation {
    /// A fresh one.
    pub fn generate() -> Self {
        let mut secret = Secret(Zeroizing::new([0; 16]));
        OsRng.fill_bytes(&mut *secret.0);
        Self { key: SigningKey::generate(&mut OsRng), secret }
    }

    /// The listener's key; on QUIC the endpoint is made of it, too.
    pub const fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The ticket to pass on. It is good for as long as the listener listens.
    pub fn ticket(&self, encryption: Encryption, way: Way) -> Ticket {
        Ticket { key: *self.key.public().as_bytes(), secret: *self.secret.0, encryption, expires_at: 0, way }
    }
}

impl std::fmt::Debug for Invitation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Invitation of {:?}", self.key.public())
    }
}

/// Our key, and what we know of the peer.
#[derive(Debug, Clone)]
pub struct Pairing {
    pub(crate) key: SigningKey,
    pub(crate) secret: Option<Secret>,
    /// The peer's key: from the ticket, or from the first link on.
    pub(crate) expected: Option<VerifyingKey>,
    /// Whether the peer has to prove that it has the ticket.
    pub(crate) ticket_only: bool,
}

/// A ticket's secret; not shown, and wiped when it is dropped.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) Zeroizing<[u8; 16]>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// The key in a ticket is none that anybody can have. Who made the ticket is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key in the ticket is no valid one; ask for another ticket")]
pub struct BadTicketKey;

impl Pairing {
    /// Nobody knows anybody: the two people compare the short authentication string.
    pub fn unknown() -> Self {
        let key = SigningKey::generate(&mut OsRng);
        Self { key, secret: None, expected: None, ticket_only: false }
    }

    /// The listener's side. Who dials with a ticket of this invitation is known to have it; who dials without one is let in
    /// as a stranger unless [`Pairing::ticket_only`] is asked for.
    pub fn inviting(invitation: &Invitation) -> Self {
        let secret = Some(invitation.secret.clone());
        Self { key: invitation.key.clone(), secret, expected: None, ticket_only: false }
    }

    /// The dialer's side: who answers must have the key of the ticket.
    ///
    /// # Errors
    /// [`BadTicketKey`].
    pub fn invited(ticket: &Ticket) -> Result<Self, BadTicketKey> {
        let expected = VerifyingKey::from_bytes(ticket.key).map_err(|_| BadTicketKey)?;
        let key = SigningKey::generate(&mut OsRng);
        Ok(Self {
            key,
            secret: Some(Secret(Zeroizing::new(ticket.secret))),
            expected: Some(expected),
            ticket_only: false,
        })
    }

    /// Nobody without a ticket is let in.
    #[must_use]
    pub fn ticket_only(self) -> Self {
        Self { ticket_only: true, ..self }
    }

    /// Our own key, for the endpoint of a transport that has keys of its own.
    pub const fn key(&self) -> &SigningKey {
        &self.key
    }
}
