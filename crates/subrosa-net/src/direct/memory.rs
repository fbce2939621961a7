//! Links inside one process: for tests, and for two halves of one program.

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use subrosa_crypto::encryptor::Side;
use tokio::sync::{mpsc, watch};

use super::{Communicator, CommunicatorError, FRAME, Inbound, Link, LinkEnd, Outbound, Path};

/// Frames that may be under way in one direction.
const FRAMES: usize = 8;
/// Links that may wait to be accepted.
const LINKS: usize = 4;

/// A listener, and who dials it.
pub fn pair() -> (MemoryListener, MemoryDialer) {
    let (dialled, links) = mpsc::channel(LINKS);
    (MemoryListener { links }, MemoryDialer { dialled: Some(dialled) })
}

/// Two ends of one link.
pub fn link() -> (Link, Link) {
    let (to_one, from_other) = mpsc::channel(FRAMES);
    let (to_other, from_one) = mpsc::channel(FRAMES);
    (end(to_other, from_other), end(to_one, from_one))
}

fn end(to: mpsc::Sender<Bytes>, from: mpsc::Receiver<Bytes>) -> Link {
    let (_, path) = watch::channel(Path::Direct);
    Link { outbound: Box::new(Writer(Some(to))), inbound: Box::new(Reader(from)), binding: [0; 32], path }
}

/// See [`pair`].
#[derive(Debug)]
pub struct MemoryListener {
    links: mpsc::Receiver<Link>,
}

impl Communicator for MemoryListener {
    fn side(&self) -> Side {
        Side::Listener
    }

    fn link(&mut self) -> BoxFuture<'_, Result<Link, CommunicatorError>> {
        async { self.links.recv().await.ok_or(CommunicatorError::Ended) }.boxed()
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        self.links.close();
        async {}.boxed()
    }
}

/// See [`pair`]. A clone dials the same listener.
#[derive(Debug, Clone)]
pub struct MemoryDialer {
    dialled: Option<mpsc::Sender<Link>>,
}

impl Communicator for MemoryDialer {
    fn side(&self) -> Side {
        Side::Dialer
    }

    fn link(&mut self) -> BoxFuture<'_, Result<Link, CommunicatorError>> {
        async {
            let (ours, theirs) = link();
            let dialled = self.dialled.as_ref().ok_or(CommunicatorError::Ended)?;
            dialled.send(theirs).await.map_err(|_| CommunicatorError::Unreachable("nobody listens".to_owned()))?;
            Ok(ours)
        }
        .boxed()
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        self.dialled = None;
        async {}.boxed()
    }
}

struct Writer(Option<mpsc::Sender<Bytes>>);

impl Outbound for Writer {
    fn send(&mut self, frame: Bytes) -> BoxFuture<'_, Result<(), LinkEnd>> {
        async move {
            if frame.len() > FRAME {
                return Err(LinkEnd::Lost("a frame of ours is too large".to_owned()));
            }
            let to = self.0.as_ref().ok_or(LinkEnd::Closed)?;
            to.send(frame).await.map_err(|_| LinkEnd::Lost("the other end is gone".to_owned()))
        }
        .boxed()
    }

    fn finish(&mut self) -> BoxFuture<'_, ()> {
        self.0 = None;
        async {}.boxed()
    }
}

struct Reader(mpsc::Receiver<Bytes>);

impl Inbound for Reader {
    fn next(&mut self) -> BoxFuture<'_, Result<Bytes, LinkEnd>> {
        async { self.0.recv().await.ok_or(LinkEnd::Closed) }.boxed()
    }
}
