//! The full-screen client of the terminal.
//!
//! ```text
//!   keys, mouse, answers, events ──▶ update(State, Input) ──▶ Effects ──▶ shell: client, rooms, clipboard
//!                                          │
//!                                     State ──▶ view::draw ──▶ cells ──▶ shell: terminal
//! ```
//!
//! [`state`] is plain data, [`update()`] and [`view`] do no I/O: the same inputs give the same state, and the same state the same
//! screen. Tests drive them without a terminal. [`shell`] is the only part that touches the outside.
//!
//! Where to look: [`words`] the commands · `update/keys.rs` the keys · [`lines`] a chat as lines of the screen · [`theme`] every
//! colour · `view/paint.rs` the one place where text of others gets onto the screen.

pub mod lines;
pub mod shell;
pub mod state;
#[cfg(test)]
mod testing;
pub mod text;
pub mod theme;
mod time;
pub mod update;
pub mod view;
pub mod words;

pub use shell::{Host, Later, Options, is_possible, run};
pub use update::update;
