//! The floor: a server that passes each message on to everyone who joined its topic, and does nothing else.
//!
//! TLS 1.3 and WebSocket on one thread, with the same libraries and the same suite as the real server. It knows nobody,
//! checks nothing, keeps nothing and acknowledges nothing. What the real server does in the same run is given as a
//! part of what this one does; the difference is the price of identity, order, permission and the disk.
//!
//! It is meant to be as fast as such a server can be: what one read brings is framed once and shared by the outboxes of
//! all members, and an outbox is written whole, in as few TLS records and system calls as there can be.
//!
//! A message is `topic` (4 bytes, little endian) and whatever follows; a frame of the topic alone joins it and is
//! answered with the same frame.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{LocalSet, spawn_local};
use tokio_rustls::TlsAcceptor;

use crate::machine;
use crate::process::{Listening, until_orphaned};
use crate::websocket::{End, Inbox, Kind, write_header};

/// A reader that is this far behind is cut off.
const LARGEST_OUTBOX: usize = 8 * 1024 * 1024;

/// Serves on a free port of loopback until standard input ends.
///
/// # Errors
/// When the port, the core or the certificate cannot be had.
pub fn run() -> Result<()> {
    machine::stay_on_core(machine::SERVER_CORE)?;
    machine::allow_many_sockets()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let tls = TlsAcceptor::from(Arc::new(tls_config()?));
        Listening { address: listener.local_addr()?, link: String::new(), synchronous: String::new() }.announce()?;
        let hub = Rc::new(Hub::default());
        let accept = async {
            loop {
                let (tcp, _) = listener.accept().await?;
                let (tls, hub) = (tls.clone(), Rc::clone(&hub));
                // A connection that ends badly is its own affair.
                spawn_local(async move { drop(serve(tcp, tls, hub).await) });
            }
        };
        tokio::select! {
            failed = accept => failed,
            () = until_orphaned() => Ok(()),
        }
    })
}

fn tls_config() -> Result<ServerConfig> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)?;
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// Who joined what.
#[derive(Default)]
struct Hub {
    topics: RefCell<HashMap<[u8; 4], Vec<Rc<Outbox>>>>,
}

/// Frames on their way to one connection, one behind the other; shared with the others who get the same.
#[derive(Default)]
struct Outbox {
    frames: RefCell<Vec<Rc<Vec<u8>>>>,
    more: Notify,
}

impl Outbox {
    fn push(&self, frames: Rc<Vec<u8>>) {
        self.frames.borrow_mut().push(frames);
        self.more.notify_one();
    }
}

/// Messages of one sender to one topic that came together.
#[derive(Default)]
struct Batch {
    topic: [u8; 4],
    frames: Vec<u8>,
}

impl Hub {
    fn join(&self, topic: [u8; 4], outbox: &Rc<Outbox>) {
        self.topics.borrow_mut().entry(topic).or_default().push(Rc::clone(outbox));
    }

    fn leave(&self, topic: [u8; 4], outbox: &Rc<Outbox>) {
        if let Some(members) = self.topics.borrow_mut().get_mut(&topic) {
            members.retain(|member| !Rc::ptr_eq(member, outbox));
        }
    }

    /// Gives a batch to all members of its topic but its sender, and leaves it empty.
    fn pass_on(&self, batch: &mut Batch, sender: &Rc<Outbox>) {
        if batch.frames.is_empty() {
            return;
        }
        let frames = Rc::new(std::mem::take(&mut batch.frames));
        if let Some(members) = self.topics.borrow().get(&batch.topic) {
            for member in members.iter().filter(|member| !Rc::ptr_eq(member, sender)) {
                member.push(Rc::clone(&frames));
            }
        }
    }
}

async fn serve(tcp: TcpStream, tls: TlsAcceptor, hub: Rc<Hub>) -> Result<()> {
    tcp.set_nodelay(true)?;
    let mut stream = tls.accept(tcp).await?;
    let mut inbox = Inbox::default();
    upgrade(&mut stream, &mut inbox).await?;
    let (reader, writer) = tokio::io::split(stream);
    let outbox = Rc::new(Outbox::default());
    let mut joined = Vec::new();
    let ended = tokio::select! {
        ended = read(reader, inbox, &hub, &outbox, &mut joined) => ended,
        ended = write(writer, &outbox) => ended,
    };
    for topic in joined {
        hub.leave(topic, &outbox);
    }
    ended
}

async fn upgrade(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), inbox: &mut Inbox) -> Result<()> {
    let end = loop {
        if let Some(end) = inbox.unread().windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        let count = stream.read(inbox.space()).await?;
        if count == 0 || inbox.unread().len() > 8 * 1024 {
            bail!("no WebSocket handshake");
        }
        inbox.filled(count);
    };
    let head = std::str::from_utf8(&inbox.unread()[..end])?;
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).context("no WebSocket key")?;
    let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.trim().as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    inbox.skip(end);
    stream.write_all(answer.as_bytes()).await?;
    Ok(stream.flush().await?)
}

async fn read(
    mut reader: impl AsyncRead + Unpin,
    mut inbox: Inbox,
    hub: &Hub,
    outbox: &Rc<Outbox>,
    joined: &mut Vec<[u8; 4]>,
) -> Result<()> {
    let mut batch = Batch::default();
    loop {
        while let Some((kind, payload)) = inbox.next_frame()? {
            let Some(topic) = payload.first_chunk::<4>().copied().filter(|_| kind == Kind::Binary) else { continue };
            if topic != batch.topic {
                hub.pass_on(&mut batch, outbox);
                batch.topic = topic;
            }
            let mut frame = Vec::new();
            let joins = payload.len() == 4;
            let frames = if joins { &mut frame } else { &mut batch.frames };
            write_header(frames, End::Server, payload.len());
            frames.extend_from_slice(payload);
            if joins {
                hub.join(topic, outbox);
                joined.push(topic);
                outbox.push(Rc::new(frame));
            }
        }
        hub.pass_on(&mut batch, outbox);
        let count = reader.read(inbox.space()).await?;
        if count == 0 {
            return Ok(());
        }
        inbox.filled(count);
    }
}

async fn write(mut writer: impl AsyncWrite + Unpin, outbox: &Outbox) -> Result<()> {
    let mut together = Vec::new();
    loop {
        outbox.more.notified().await;
        let batches = outbox.frames.take();
        if let [batch] = &batches[..] {
            writer.write_all(batch).await?;
        } else {
            batches.iter().for_each(|batch| together.extend_from_slice(batch));
            if together.len() > LARGEST_OUTBOX {
                bail!("a reader that does not read");
            }
            writer.write_all(&together).await?;
            together.clear();
        }
        writer.flush().await?;
    }
}
