//! QUIC for a chat: endpoints made of the keys of an [`Invitation`] and a [`Pairing`].

use subrosa_net::direct::CommunicatorError;
use subrosa_net::direct::quic::{Endpoint, EndpointConfig, Peer, PeerId, QuicDialer, QuicListener};
use subrosa_wire::proto::QuicWay;
use subrosa_wire::ticket::Way;
use subrosa_wire::{RelayLink, Ticket};

use crate::pairing::{Invitation, Pairing};

/// Makes an endpoint of the invitation's key, and tells how it is found, for the ticket. Without a relay only peers of this
/// network, or who reach one of our addresses by themselves, can dial.
///
/// # Errors
/// [`CommunicatorError`]: this machine gives no port, or the relay is not reached.
pub async fn listen(
    invitation: &Invitation,
    relay: Option<RelayLink>,
) -> Result<(QuicListener, Way), CommunicatorError> {
    let config = EndpointConfig { seed: invitation.key().seed().clone(), relay, show_lan: true };
    let endpoint = Endpoint::bind(config).await?;
    let way = Way::Quic(endpoint.way());
    Ok((QuicListener::new(endpoint, Peer::Anybody), way))
}

/// Makes an endpoint of the pairing's key that dials who gave out the ticket.
///
/// # Errors
/// [`CommunicatorError`]: the ticket is for another transport, this machine gives no port, or the relay is not reached.
pub async fn dial(pairing: &Pairing, ticket: &Ticket) -> Result<QuicDialer, CommunicatorError> {
    let Way::Quic(way) = &ticket.way else {
        return Err(CommunicatorError::Environment("the ticket is not for QUIC".to_owned()));
    };
    let way: QuicWay = way.clone();
    let relay = way.relay.as_ref().map(RelayLink::try_from).transpose();
    let relay = relay.map_err(|error| CommunicatorError::Environment(error.to_string()))?;
    let config = EndpointConfig { seed: pairing.key().seed().clone(), relay, show_lan: true };
    Ok(QuicDialer::new(Endpoint::bind(config).await?, PeerId(ticket.key), way))
}
