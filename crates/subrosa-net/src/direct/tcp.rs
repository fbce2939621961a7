//! Links over TCP: `length(4, big-endian) frame`, one after the other. It proves nothing and hides nothing.
//!
//! Invariant: memory for a frame grows with the bytes that came, never with the length that was announced; a length of more
//! than [`FRAME`] ends the link before a byte of the frame is read.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use subrosa_crypto::encryptor::Side;
use subrosa_wire::ticket::is_address;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener as Socket, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

use super::{Communicator, CommunicatorError, FRAME, Inbound, Link, LinkEnd, Outbound, Path};

/// How long one address may take to answer.
pub const CONNECT: Duration = Duration::from_secs(5);
/// How long an orderly end may take.
const FINISH: Duration = Duration::from_secs(1);
/// Bytes that are read at once.
const READ: usize = 64 * 1024;

/// Waits to be dialled.
#[derive(Debug)]
pub struct TcpListener {
    socket: Option<Socket>,
    address: SocketAddr,
}

impl TcpListener {
    /// Listens at this address; port 0 picks a free one.
    ///
    /// # Errors
    /// [`CommunicatorError::Environment`]: the address is taken, or not ours.
    pub async fn bind(address: SocketAddr) -> Result<Self, CommunicatorError> {
        let environment =
            |error: io::Error| CommunicatorError::Environment(format!("{address} cannot be listened at: {error}"));
        let socket = Socket::bind(address).await.map_err(environment)?;
        let address = socket.local_addr().map_err(environment)?;
        Ok(Self { socket: Some(socket), address })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a ticket says: where it listens or, if that is everywhere, the address that this machine has outwards (found
    /// by asking the routing table; nothing is sent) and loopback.
    pub fn addresses(&self) -> Vec<String> {
        let port = self.address.port();
        if !self.address.ip().is_unspecified() {
            return vec![self.address.to_string()];
        }
        let outward = || -> io::Result<SocketAddr> {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
            // RFC 5737: an address that is nobody's.
            socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
            socket.local_addr()
        };
        let outward = outward().map(|address| SocketAddr::new(address.ip(), port).to_string());
        outward.into_iter().chain([SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string()]).collect()
    }
}

impl Communicator for TcpListener {
    fn side(&self) -> Side {
        Side::Listener
    }

    fn link(&mut self) -> BoxFuture<'_, Result<Link, CommunicatorError>> {
        async {
            let socket = self.socket.as_ref().ok_or(CommunicatorError::Ended)?;
            let (stream, _) =
                socket.accept().await.map_err(|error| CommunicatorError::Unreachable(error.to_string()))?;
            Ok(link(stream))
        }
        .boxed()
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        self.socket = None;
        async {}.boxed()
    }
}

/// Dials.
#[derive(Debug)]
pub struct TcpDialer {
    addresses: Vec<String>,
}

impl TcpDialer {
    /// Will dial these (`HOST:PORT`), one after the other, until one answers.
    ///
    /// # Errors
    /// [`CommunicatorError::Environment`] if one of them is no such address, or there is none.
    pub fn to(addresses: &[String]) -> Result<Self, CommunicatorError> {
        if addresses.is_empty() || !addresses.iter().all(|address| is_address(address)) {
            return Err(CommunicatorError::Environment("an address to dial is HOST:PORT".to_owned()));
        }
        Ok(Self { addresses: addresses.to_vec() })
    }
}

impl Communicator for TcpDialer {
    fn side(&self) -> Side {
        Side::Dialer
    }

    fn link(&mut self) -> BoxFuture<'_, Result<Link, CommunicatorError>> {
        async {
            let mut reason = String::new();
            for address in &self.addresses {
                match timeout(CONNECT, TcpStream::connect(address)).await {
                    Ok(Ok(stream)) => return Ok(link(stream)),
                    Ok(Err(error)) => reason = format!("{address}: {error}"),
                    Err(_) => reason = format!("{address} does not answer"),
                }
            }
            Err(CommunicatorError::Unreachable(reason))
        }
        .boxed()
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }
}

fn link(stream: TcpStream) -> Link {
    // Small frames are answered; waiting for more of them gains nothing. Without it all works, only slower.
    let _slower = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    let (_, path) = watch::channel(Path::Direct);
    Link {
        outbound: Box::new(Writer(writer)),
        inbound: Box::new(Reader { half: reader, buffer: BytesMut::new() }),
        binding: [0; 32],
        path,
    }
}

struct Writer(OwnedWriteHalf);

impl Outbound for Writer {
    fn send(&mut self, frame: Bytes) -> BoxFuture<'_, Result<(), LinkEnd>> {
        async move {
            let length = u32::try_from(frame.len()).ok().filter(|_| frame.len() <= FRAME);
            let length = length.ok_or_else(|| LinkEnd::Lost("a frame of ours is too large".to_owned()))?;
            let written = self.0.write_all_buf(&mut Buf::chain(length.to_be_bytes().as_slice(), frame)).await;
            written.map_err(|error| LinkEnd::Lost(error.to_string()))
        }
        .boxed()
    }

    fn finish(&mut self) -> BoxFuture<'_, ()> {
        async {
            // Whoever is gone already does not hear it.
            let _gone = timeout(FINISH, self.0.shutdown()).await;
        }
        .boxed()
    }
}

struct Reader {
    half: OwnedReadHalf,
    /// What was read of the next frame, its length included.
    buffer: BytesMut,
}

impl Reader {
    fn take(&mut self) -> Result<Option<Bytes>, LinkEnd> {
        let Some(length) = self.buffer.first_chunk::<4>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > FRAME {
            return Err(LinkEnd::Protocol(format!("a frame of {length} bytes, more than {FRAME}")));
        }
        if self.buffer.len() < 4 + length {
            return Ok(None);
        }
        self.buffer.advance(4);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }
}

impl Inbound for Reader {
    fn next(&mut self) -> BoxFuture<'_, Result<Bytes, LinkEnd>> {
        async {
            loop {
                if let Some(frame) = self.take()? {
                    return Ok(frame);
                }
                self.buffer.reserve(READ);
                match self.half.read_buf(&mut self.buffer).await {
                    Ok(0) if self.buffer.is_empty() => return Err(LinkEnd::Closed),
                    Ok(0) => return Err(LinkEnd::Lost("it ended inside a frame".to_owned())),
                    Ok(_) => {}
                    Err(error) => return Err(LinkEnd::Lost(error.to_string())),
                }
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    async fn pair() -> (Link, Link) {
        let mut listener = TcpListener::bind(ANY).await.unwrap();
        let mut dialer = TcpDialer::to(&listener.addresses()).unwrap();
        let (listening, dialled) = tokio::join!(listener.link(), dialer.link());
        (listening.unwrap(), dialled.unwrap())
    }

    /// A listener's link, and the bare stream of who dialled it.
    async fn bare() -> (Link, TcpStream) {
        let mut listener = TcpListener::bind(ANY).await.unwrap();
        let address = listener.address();
        let (link, stream) = tokio::join!(listener.link(), TcpStream::connect(address));
        (link.unwrap(), stream.unwrap())
    }

    #[tokio::test]
    async fn frames_arrive_whole_and_in_order_and_then_the_end() {
        let (mut one, mut other) = pair().await;
        let frames = [Bytes::new(), Bytes::from_static(b"two"), Bytes::from(vec![3; FRAME])];
        let sent = frames.clone();
        tokio::spawn(async move {
            for frame in sent {
                one.outbound.send(frame).await.unwrap();
            }
            one.outbound.finish().await;
        });
        for frame in frames {
            assert_eq!(other.inbound.next().await.unwrap(), frame);
        }
        assert_eq!(other.inbound.next().await, Err(LinkEnd::Closed));
    }

    #[tokio::test]
    async fn an_oversized_frame_ends_the_link_before_it_is_read() {
        let (mut link, mut stream) = bare().await;
        stream.write_all(&u32::MAX.to_be_bytes()).await.unwrap();
        assert!(matches!(link.inbound.next().await, Err(LinkEnd::Protocol(_))));
        let (mut link, _stream) = bare().await;
        assert!(matches!(link.outbound.send(Bytes::from(vec![0; FRAME + 1])).await, Err(LinkEnd::Lost(_))));
    }

    #[tokio::test]
    async fn an_end_inside_a_frame_is_no_orderly_end() {
        let (mut link, mut stream) = bare().await;
        stream.write_all(&[0, 0, 0, 9, 1]).await.unwrap();
        drop(stream);
        assert!(matches!(link.inbound.next().await, Err(LinkEnd::Lost(_))));
    }

    #[tokio::test]
    async fn nothing_is_lost_when_waiting_for_a_frame_is_given_up() {
        let (mut link, mut stream) = bare().await;
        stream.write_all(&[0, 0, 0, 3, 1]).await.unwrap();
        // The first bytes are read, and the future is dropped.
        assert!(timeout(Duration::from_millis(50), link.inbound.next()).await.is_err());
        stream.write_all(&[2, 3]).await.unwrap();
        assert_eq!(link.inbound.next().await.unwrap(), [1, 2, 3].as_slice());
    }

    #[tokio::test]
    async fn nobody_there_may_pass_and_no_address_does_not() {
        let listener = TcpListener::bind(ANY).await.unwrap();
        let addresses = listener.addresses();
        drop(listener);
        let error = TcpDialer::to(&addresses).unwrap().link().await.unwrap_err();
        assert!(error.may_pass(), "{error}");
        assert!(TcpDialer::to(&[]).is_err() && TcpDialer::to(&["nowhere".to_owned()]).is_err());
    }
}
