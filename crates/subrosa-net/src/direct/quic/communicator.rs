//! The two ends of a direct link without accounts: one listens and shows a way, the other has it from a ticket.

use futures_util::future::{BoxFuture, FutureExt};
use subrosa_crypto::encryptor::Side;
use subrosa_wire::proto::QuicWay;

use super::endpoint::{Endpoint, Peer, PeerId};
use crate::direct::{Communicator, CommunicatorError, Link};

/// Accepts whoever dials; what runs over the link must ask for the ticket's secret.
#[derive(Debug)]
pub struct QuicListener {
    endpoint: Endpoint,
    peer: Peer,
}

impl QuicListener {
    /// On an endpoint whose way was passed on.
    pub const fn new(endpoint: Endpoint, peer: Peer) -> Self {
        Self { endpoint, peer }
    }

    /// The endpoint.
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

impl Communicator for QuicListener {
    fn side(&self) -> Side {
        Side::Listener
    }

    fn link(&mut self) -> BoxFuture<'_, Result<Link, CommunicatorError>> {
        self.endpoint.accept(self.peer).boxed()
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        self.endpoint.close().boxed()
    }
}

/// Dials one peer.
#[derive(Debug)]
pub struct QuicDialer {
    endpoint: Endpoint,
    peer: PeerId,
    way: QuicWay,
}

impl QuicDialer {
    /// Dials the endpoint with this key on this way.
    pub const fn new(endpoint: Endpoint, peer: PeerId, way: QuicWay) -> Self {
        Self { endpoint, peer, way }
    }

    /// The endpoint.
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

impl Communicator for QuicDialer {
    fn side(&self) -> Side {
        Side::Dialer
    }

    fn link(&mut self) -> BoxFuture<'_, Result<Link, CommunicatorError>> {
        self.endpoint.dial(self.peer, &self.way).boxed()
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        self.endpoint.close().boxed()
    }
}
