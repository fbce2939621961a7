//! Direct links as the engine wants them: one task and one endpoint each, gone when the link is.
//!
//! The engine counts a link as there only while frames take a path from one machine to the other. While QUIC has no such
//! path yet its packets take the relay, which is no better a road than the server's log: a link that does not get further
//! within [`PUNCH`], or falls back to it, is ended.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use subrosa_engine::{RoadId, RoadOrder};
use subrosa_net::direct::quic::{Endpoint, EndpointConfig, EndpointError, Peer, PeerId};
use subrosa_net::direct::{Inbound, Link, Outbound, Path};
use subrosa_wire::RelayLink;
use subrosa_wire::proto::{QuicWay, RelayAddress};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tracing::info;
use zeroize::Zeroizing;

/// How long a link may take to find a path that needs no relay.
const PUNCH: Duration = Duration::from_secs(5);
/// How long a peer may take to dial.
const DIALLED: Duration = Duration::from_secs(20);
/// Frames that may wait to be sent on one link; when there are more, it is ended.
const QUEUE: usize = 64;

/// What happened to a link.
#[derive(Debug)]
pub enum News {
    /// Its endpoint is there and is found like this.
    Ready(QuicWay),
    /// It is up.
    Up,
    /// A frame came.
    Frame(Bytes),
    /// It is gone.
    Down(String),
}

/// All links of one engine. Dropping it ends them.
#[derive(Debug)]
pub struct Roads {
    tell: mpsc::Sender<(RoadId, News)>,
    open: HashMap<RoadId, mpsc::Sender<Bytes>>,
}

impl Roads {
    /// No links yet; their news goes there.
    pub fn new(tell: mpsc::Sender<(RoadId, News)>) -> Self {
        Self { tell, open: HashMap::new() }
    }

    /// Does what the engine wants of a link. Returns `false` if the link is ended instead, because it does not keep up.
    pub fn carry_out(&mut self, road: RoadId, order: RoadOrder) -> bool {
        match order {
            RoadOrder::Listen { seed, peer, relay } => self.open(road, Plan { seed, peer, way: None, relay }),
            RoadOrder::Dial { seed, peer, way, relay } => self.open(road, Plan { seed, peer, way: Some(way), relay }),
            RoadOrder::Send(frame) => match self.open.get(&road).map(|frames| frames.try_send(frame)) {
                Some(Ok(())) => {}
                None => return false,
                Some(Err(_full_or_gone)) => {
                    self.open.remove(&road);
                    return false;
                }
            },
            RoadOrder::Close => {
                self.open.remove(&road);
            }
        }
        true
    }

    /// A link told that it is gone.
    pub fn forget(&mut self, road: RoadId) {
        self.open.remove(&road);
    }

    fn open(&mut self, road: RoadId, plan: Plan) {
        let (frames, queue) = mpsc::channel(QUEUE);
        self.open.insert(road, frames);
        tokio::spawn(live(road, plan, queue, self.tell.clone()));
    }
}

/// What a link is made of.
struct Plan {
    seed: Zeroizing<[u8; 32]>,
    peer: [u8; 32],
    /// How the peer is found; `None`: it dials.
    way: Option<QuicWay>,
    relay: Option<RelayAddress>,
}

/// From the endpoint to the end of the link.
async fn live(road: RoadId, plan: Plan, mut frames: mpsc::Receiver<Bytes>, tell: mpsc::Sender<(RoadId, News)>) {
    let endpoint = tokio::select! {
        endpoint = endpoint(&plan) => endpoint,
        () = given_up(&mut frames) => return,
    };
    let why = match endpoint {
        Ok(endpoint) => {
            let why = use_endpoint(&endpoint, road, &plan, &mut frames, &tell).await;
            endpoint.close().await;
            why
        }
        Err(error) => error.to_string(),
    };
    // The engine may be gone.
    let _nobody_hears = tell.send((road, News::Down(why))).await;
}

/// An endpoint with the relay; without it, if the relay does not do.
async fn endpoint(plan: &Plan) -> Result<Endpoint, EndpointError> {
    let relay = plan.relay.as_ref().and_then(|relay| RelayLink::try_from(relay).ok());
    let config = EndpointConfig { seed: plan.seed.clone(), relay, show_lan: true };
    let without = EndpointConfig { relay: None, ..config.clone() };
    match Endpoint::bind(config).await {
        Err(EndpointError::Environment(error)) => Err(EndpointError::Environment(error)),
        Err(_) => {
            info!("direct link: the relay does not help; trying without");
            Endpoint::bind(without).await
        }
        bound => bound,
    }
}

async fn use_endpoint(
    endpoint: &Endpoint,
    road: RoadId,
    plan: &Plan,
    frames: &mut mpsc::Receiver<Bytes>,
    tell: &mpsc::Sender<(RoadId, News)>,
) -> String {
    let mut link = tokio::select! {
        link = connect(endpoint, road, plan, tell) => match link {
            Ok(link) => link,
            Err(why) => return why,
        },
        () = given_up(frames) => return "it is not wanted any more".to_owned(),
    };
    let punched = matches!(timeout(PUNCH, link.path.wait_for(|path| *path == Path::Direct)).await, Ok(Ok(_)));
    if !punched {
        link.outbound.finish().await;
        return "no path leads from one machine to the other".to_owned();
    }
    info!("direct link: up");
    if tell.send((road, News::Up)).await.is_err() {
        return "the engine is gone".to_owned();
    }
    let Link { mut outbound, mut inbound, mut path, .. } = link;
    let why = tokio::select! {
        why = send(&mut *outbound, frames) => why,
        why = receive(&mut *inbound, road, tell) => why,
        why = falls_back(&mut path) => why,
    };
    outbound.finish().await;
    why
}

async fn connect(
    endpoint: &Endpoint,
    road: RoadId,
    plan: &Plan,
    tell: &mpsc::Sender<(RoadId, News)>,
) -> Result<Link, String> {
    let peer = PeerId(plan.peer);
    if let Some(way) = &plan.way {
        // The relay of both is the one of their server: the peer's own pass is not told, and not needed.
        let way = match (&way.relay, &plan.relay) {
            (Some(theirs), Some(ours)) if theirs.fingerprint == ours.fingerprint => {
                QuicWay { relay: Some(ours.clone()), ..way.clone() }
            }
            _ => QuicWay { relay: None, ..way.clone() },
        };
        info!("direct link: dialling");
        return endpoint.dial(peer, &way).await.map_err(|error| error.to_string());
    }
    info!("direct link: waiting to be dialled");
    if tell.send((road, News::Ready(endpoint.way()))).await.is_err() {
        return Err("the engine is gone".to_owned());
    }
    match timeout(DIALLED, endpoint.accept(Peer::Only(peer))).await {
        Ok(link) => link.map_err(|error| error.to_string()),
        Err(_) => Err("nobody dialled".to_owned()),
    }
}

/// Sends what the engine wants sent, until it wants the link no more.
async fn send(outbound: &mut dyn Outbound, frames: &mut mpsc::Receiver<Bytes>) -> String {
    while let Some(frame) = frames.recv().await {
        if let Err(end) = outbound.send(frame).await {
            return end.to_string();
        }
    }
    "it is not wanted any more".to_owned()
}

async fn receive(inbound: &mut dyn Inbound, road: RoadId, tell: &mpsc::Sender<(RoadId, News)>) -> String {
    loop {
        match inbound.next().await {
            Ok(frame) => {
                if tell.send((road, News::Frame(frame))).await.is_err() {
                    return "the engine is gone".to_owned();
                }
            }
            Err(end) => return end.to_string(),
        }
    }
}

async fn falls_back(path: &mut watch::Receiver<Path>) -> String {
    match path.wait_for(|path| *path == Path::Relayed).await {
        Ok(_) => "its path is lost".to_owned(),
        Err(_) => "the connection ended".to_owned(),
    }
}

/// Resolves when the engine ends a link that is not up: nothing is sent on it before.
async fn given_up(frames: &mut mpsc::Receiver<Bytes>) {
    while frames.recv().await.is_some() {}
}
