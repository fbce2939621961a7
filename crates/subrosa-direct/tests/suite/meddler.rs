//! Somebody on the way: sees each frame that one side sends, and decides what becomes of it.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use prost::Message;
use subrosa_direct::{Communicator, CommunicatorError, Link, LinkEnd, Side};
use subrosa_net::direct::Outbound;
use subrosa_wire::encode;
use subrosa_wire::proto::direct_frame::Frame;
use subrosa_wire::proto::{DirectFrame, DirectRecord};

/// What becomes of a frame.
pub enum Act {
    /// It goes on like this.
    Pass(Frame),
    /// These go on instead, in this order.
    Instead(Vec<Frame>),
    /// The link is ended, in order.
    Cut,
    /// Nothing goes through any more, and nobody is told.
    Hang,
}

/// Sees a frame, and the number of the link (from 1).
pub type Meddle = dyn FnMut(u32, Frame) -> Act + Send;

/// A communicator with somebody on its way out.
pub struct Meddled<C> {
    inner: C,
    meddle: Arc<Mutex<Box<Meddle>>>,
    links: u32,
    /// The binding that this end sees instead of its own.
    pub binding: Option<[u8; 32]>,
}

impl<C> Meddled<C> {
    /// Puts somebody there.
    pub fn new(inner: C, meddle: impl FnMut(u32, Frame) -> Act + Send + 'static) -> Self {
        Self { inner, meddle: Arc::new(Mutex::new(Box::new(meddle))), links: 0, binding: None }
    }
}

impl<C: Communicator> Communicator for Meddled<C> {
    fn side(&self) -> Side {
        self.inner.side()
    }

    fn link(&mut self) -> BoxFuture<'_, Result<Link, CommunicatorError>> {
        async {
            let Link { outbound, inbound, binding, path } = self.inner.link().await?;
            self.links += 1;
            let (number, meddle) = (self.links, self.meddle.clone());
            let outbound = Box::new(Meddler { inner: outbound, meddle, number, hangs: false });
            Ok(Link { outbound, inbound, binding: self.binding.unwrap_or(binding), path })
        }
        .boxed()
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        self.inner.close()
    }
}

struct Meddler {
    inner: Box<dyn Outbound>,
    meddle: Arc<Mutex<Box<Meddle>>>,
    number: u32,
    hangs: bool,
}

impl Outbound for Meddler {
    fn send(&mut self, frame: Bytes) -> BoxFuture<'_, Result<(), LinkEnd>> {
        async move {
            if self.hangs {
                return Ok(());
            }
            let frame = DirectFrame::decode(frame).unwrap().frame.unwrap();
            let act = (self.meddle.lock().unwrap())(self.number, frame);
            let frames = match act {
                Act::Pass(frame) => vec![frame],
                Act::Instead(frames) => frames,
                Act::Cut => {
                    self.hangs = true;
                    self.inner.finish().await;
                    return Ok(());
                }
                Act::Hang => {
                    self.hangs = true;
                    return Ok(());
                }
            };
            for frame in frames {
                self.inner.send(encode(&DirectFrame { frame: Some(frame) })).await?;
            }
            Ok(())
        }
        .boxed()
    }

    fn finish(&mut self) -> BoxFuture<'_, ()> {
        async {
            if !self.hangs {
                self.inner.finish().await;
            }
        }
        .boxed()
    }
}

/// Meddles with the record of this number on the first link only.
pub fn with_record(
    number: u64,
    mut act: impl FnMut(DirectRecord) -> Act + Send,
) -> impl FnMut(u32, Frame) -> Act + Send {
    move |link, frame| match frame {
        Frame::Record(record) if link == 1 && record.number == number => act(record),
        frame => Act::Pass(frame),
    }
}
