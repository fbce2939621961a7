//! A proxy between client and server that keeps every byte of both directions.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::Server;

/// The wire to a server.
pub struct Wire {
    link: String,
    captured: Arc<Mutex<Vec<u8>>>,
}

impl Wire {
    /// Lays a wire to the server.
    pub fn to(server: &Server) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("a bound socket").port();
        let captured = Arc::new(Mutex::new(Vec::new()));
        let (target, kept) = (SocketAddr::from((Ipv4Addr::LOCALHOST, server.port())), captured.clone());
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { continue };
                let Ok(server) = TcpStream::connect(target) else { continue };
                let (Ok(client_again), Ok(server_again)) = (client.try_clone(), server.try_clone()) else { continue };
                let (there, back) = (kept.clone(), kept.clone());
                thread::spawn(move || carry(client, server, &there));
                thread::spawn(move || carry(server_again, client_again, &back));
            }
        });
        let link = server.link().replace(&format!(":{}/", server.port()), &format!(":{port}/"));
        Self { link, captured }
    }

    /// The server's link by this wire.
    pub fn link(&self) -> &str {
        &self.link
    }

    /// What went over it so far.
    pub fn captured(&self) -> Vec<u8> {
        self.captured.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, captured: &Mutex<Vec<u8>>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        captured.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..length]);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    // The other side may be gone already.
    let _gone = to.shutdown(Shutdown::Write);
}
