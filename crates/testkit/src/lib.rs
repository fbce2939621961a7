//! What tests build worlds from: real engines, the real delivery service and real MLS in one process, in virtual time.
//!
//! - [`harness`]: a gentle world. The network is perfect and nothing crashes; for tests that say what should happen.
//! - [`world`]: the other one, in which everything goes wrong that can, as a seed chooses.
//! - [`database`], [`rng`], [`gate`]: what the worlds are made of.

pub mod database;
pub mod gate;
pub mod harness;
pub mod rng;
pub mod world;
