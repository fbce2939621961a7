//! JSON-RPC 2.0: the one API, for programs and for the page. One object a line (or a WebSocket message).
//!
//! The same [`Session`] runs on the profile's socket, on standard input and output (`subrosa rpc`), and on a WebSocket of the
//! page's server. What differs is its [`Backend`]: the socket is served by the process that runs the engine, the others have a
//! [`Door`] that opens the profile when it is needed, wherever its engine runs.
//!
//! 1. The server says `{"jsonrpc":"2.0","method":"welcome","params":{"v":1}}`. Reason: a connection that is only waiting in a
//!    queue of a process that is about to end never sees it, so nobody mistakes the queue for the engine.
//! 2. Requests have an `id` and are answered under it, in any order; they are *begun* in the order in which they come.
//!    [`methods`] lists them: the engine's commands ([`crate::api::Command`]), and those of a session ([`Own`]).
//! 3. `subscribe` asks for events. With the cursor of the last event that the program has taken in, everything behind it is
//!    told first, so nothing is missed over a restart of either side. Events that are of the moment only have no cursor.
//!    `{"method":"missed"}` says that some events are not kept any more, or went by too fast: read again.
//! 4. A `send` with an `id` is done once, however often it is asked.
//! 5. An error has the exit code of the command line as its code and `{"code","kind","kept"}` as data. The kind
//!    `engine_leaving` says that the command was not started on, because the process is ending: connect anew.
//! 6. Unknown fields, and notifications that a program does not know, are ignored on both sides.
//!
//! Rooms and direct chats belong to the session that began them. `openrpc.json` and `api.d.ts` are made from the types here
//! ([`schema`]).

mod direct;
mod door;
pub(crate) mod line;
pub(crate) mod message;
pub mod methods;
mod own;
mod qr;
mod rooms;
pub mod schema;
mod session;

pub use door::{Door, OwnServer, machine_name};
pub use line::{LineError, Lines};
pub use own::{
    DirectEvent, DirectNote, DirectOpened, Entered, GuestRow, Hello, Opened, Own, OwnReply, ProfileState, QrCode,
    RoomNote, RoomTold, Said, Subscribed, TransportWord, Words,
};
pub use session::{Backend, IN_FLIGHT, Session};

/// Longest line of a request, in bytes.
pub const LINE: usize = 1024 * 1024;
/// Version of this protocol.
pub const VERSION: u32 = 1;
