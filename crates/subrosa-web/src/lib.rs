//! The page's server: static files and the JSON-RPC WebSocket, on loopback, for the person at this machine and nobody else.
//!
//! A page that a remote server served could be changed to steal keys; so this one comes out of the user's own program, and
//! there is no way to let it listen on another address.
//!
//! ```text
//!   browser ── GET /…  ──▶ files of `page/`, embedded          Host checked
//!           ── GET /rpc ─▶ WebSocket ──▶ subrosa_client::rpc::Session     Host, Origin and token checked
//! ```
//!
//! Who may talk to the WebSocket:
//!
//! 1. `Host` must be this server on loopback. Reason: a name of somebody else's that resolves to 127.0.0.1 (DNS rebinding)
//!    would make their page "same origin".
//! 2. `Origin`, which browsers always send with a WebSocket, must be this server. Reason: any page of the web may try to
//!    connect to loopback. Programs send none.
//! 3. The launch token must be among the subprotocols (`token.…`). It is made at start, is in the fragment of the printed link
//!    only – no browser sends fragments, and no log has them – and ends with the process. Reason: other users and programs of
//!    this machine reach loopback, too.
//!
//! Everything else is answered with 403 before anything is looked at. Files get a strict Content-Security-Policy with Trusted
//! Types: nothing is run that is not one of the files, and nothing is fetched from anywhere else.

mod files;
mod guard;
mod rpc;
mod server;
mod token;

pub use files::names;
pub use server::{PageServer, ServeError};
pub use token::Token;
