//! A guest of a room with other code than ours: the real session and link, but the story may change each frame.

use std::time::Duration;

use prost::Message;
use rand_core::OsRng;
use subrosa_engine::api::Failure;
use subrosa_engine::room::{Entry, RoomEvent, RoomOutput, RoomSession, Who};
use subrosa_net::Connection;
use subrosa_types::Timestamp;
use subrosa_wire::ServerLink;
use subrosa_wire::proto::ClientFrame;
use subrosa_wire::proto::client_frame::Request;
use tokio::runtime::Runtime;

use super::PATIENCE;

/// The guest.
pub struct HostileGuest {
    runtime: Runtime,
    session: RoomSession,
    connection: Connection,
    change: Box<dyn FnMut(&mut Request)>,
}

impl HostileGuest {
    /// Connects and begins to enter the lobby; `change` sees each request before it is sent.
    pub fn enter(link: &str, name: &str, change: impl FnMut(&mut Request) + 'static) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let link: ServerLink = link.parse().expect("a link");
        let connection = runtime.block_on(subrosa_net::connect(&link)).expect("a connection");
        let who = Who::Named(name.parse().expect("a name"));
        let entry = Entry { server: link.fingerprint, room: "lobby".parse().expect("a room"), who };
        let mut session = RoomSession::new(entry, Box::new(OsRng)).expect("a session");
        session.link_up(connection.tls_exporter, Timestamp(0));
        Self { runtime, session, connection, change: Box::new(change) }
    }

    /// Says something.
    pub fn say(&mut self, text: &str) {
        self.session.send(1, text.to_owned(), Timestamp(0));
    }

    /// Goes on until this happens; what ended the session instead, if anything did.
    #[track_caller]
    pub fn until(&mut self, happens: impl Fn(&RoomEvent) -> bool) -> Result<RoomEvent, Failure> {
        let Self { runtime, session, connection, change } = self;
        let going = async {
            loop {
                while let Some(output) = session.poll() {
                    match output {
                        RoomOutput::Transmit(frame) => {
                            let mut frame = ClientFrame::decode(frame).expect("our own frame");
                            change(frame.request.as_mut().expect("a request"));
                            connection.sender.send(subrosa_wire::encode(&frame)).await.expect("a link");
                        }
                        RoomOutput::Event(event) if happens(&event) => return Ok(event),
                        RoomOutput::Event(_) => {}
                        RoomOutput::End { failure, .. } => return Err(failure),
                    }
                }
                let frame = connection.receiver.next().await.expect("a frame");
                session.frame(frame, Timestamp(0));
            }
        };
        runtime.block_on(async { tokio::time::timeout(PATIENCE, going).await }).expect("something happens in time")
    }

    /// Goes on until it is inside.
    #[track_caller]
    pub fn inside(&mut self) -> Result<RoomEvent, Failure> {
        self.until(|event| matches!(event, RoomEvent::Inside { .. }))
    }

    /// Stops reading, and holds the connection until the story says otherwise.
    pub fn read_nothing(self) -> impl Drop {
        struct Held(Option<HostileGuest>);
        impl Drop for Held {
            fn drop(&mut self) {
                if let Some(guest) = self.0.take() {
                    guest.runtime.shutdown_timeout(Duration::from_secs(1));
                }
            }
        }
        Held(Some(self))
    }
}
