//! The real server, as it is, but for the limits in time: the benchmark is one machine that asks for too much.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context as _, Result};
use subrosa_server::{DATABASE, Rates, Server, ServerConfig, store};

use crate::machine;
use crate::process::{Listening, until_orphaned};

/// Serves from `folder` on a free port of loopback until standard input ends.
///
/// # Errors
/// When the port, the core or the store cannot be had.
pub fn run(folder: &Path) -> Result<()> {
    machine::stay_on_core(machine::SERVER_CORE)?;
    machine::allow_many_sockets()?;
    // The server itself refuses to start with less; here its answer goes into the report.
    let store = store::open(&folder.join(DATABASE)).context("cannot open the store")?;
    let synchronous: i64 = store.pragma_query_value(None, "synchronous", |row| row.get(0))?;
    drop(store);
    let config = ServerConfig {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        folder: folder.to_owned(),
        rates: Rates::off(),
        ..ServerConfig::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut server = Server::start(config).await?;
        Listening { address: server.addr(), link: server.link().to_string(), synchronous: synchronous.to_string() }
            .announce()?;
        tokio::select! {
            ended = server.wait() => ended?,
            () = until_orphaned() => server.shutdown("the benchmark is over").await?,
        }
        Ok(())
    })
}
