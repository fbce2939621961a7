//! What the relay holds: `bench relay`.
//!
//! 1. A relay starts as a process of its own, on loopback.
//! 2. So many clients connect and stay, and answer its pings, as endpoints do.
//! 3. As many keep a connection for address discovery, as endpoints do.
//! 4. After three rounds of pings each sends one packet to the next, and each must come.

use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use data_encoding::BASE64URL_NOPAD;
use futures_util::{SinkExt as _, StreamExt as _, TryStreamExt as _, stream};
use iroh::dns::DnsResolver;
use iroh::tls::CaTlsConfig;
use iroh::{RelayUrl, SecretKey};
use iroh_relay::client::{Client, ClientBuilder};
use iroh_relay::protos::relay::{ClientToRelayMsg, Datagrams, RelayToClientMsg};
use iroh_relay::quic::QuicClient;
use rustls::crypto::aws_lc_rs;
use subrosa_server::relay::{RelayAlone, RelayAloneConfig, RelayLimits};
use subrosa_wire::RelayLink;
use tokio::sync::{mpsc, watch};

use crate::machine;
use crate::process::{Listening, Process, until_orphaned};
use crate::socket::AnyCertificate;

/// Clients that connect at the same time.
const DIALLING: usize = 16;
/// Three rounds of pings, which come every 16 to 20 seconds.
const HOLD: Duration = Duration::from_secs(60);
/// How long the last packets may take.
const LAST: Duration = Duration::from_secs(30);

/// `bench relay`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Idle clients
    #[arg(long, default_value_t = 2_000)]
    clients: usize,
}

/// The relay under measurement, until standard input ends.
///
/// # Errors
/// When it does not start.
pub async fn serve(folder: PathBuf) -> Result<()> {
    machine::allow_many_sockets()?;
    let listen = (Ipv4Addr::LOCALHOST, 0).into();
    let limits = RelayLimits::default();
    let relay = RelayAlone::start(RelayAloneConfig { listen, folder, public_host: None, open: false, limits }).await?;
    Listening { address: relay.addr(), link: relay.link().to_string(), synchronous: String::new() }.announce()?;
    until_orphaned().await;
    relay.shutdown().await;
    Ok(())
}

/// Measures.
///
/// # Errors
/// When a client is not admitted, is put out, or does not get its packet.
pub async fn run(arguments: &Arguments, folder: &Path) -> Result<()> {
    machine::allow_many_sockets()?;
    let relay = Process::start("serve-relay", &[OsStr::new(folder)])?;
    let link: RelayLink = relay.listening.link.parse()?;
    let count = arguments.clients;
    let empty = relay.resident_memory()?;
    let start = Instant::now();
    let clients: Vec<Client> =
        stream::iter(0..count).map(|number| connect(&link, number)).buffered(DIALLING).try_collect().await?;
    println!("{count} clients are connected after {:.1} s", start.elapsed().as_secs_f64());
    println!("relay alone: {:.1} KiB a client", per_client(&relay, empty, count)?);

    let (say, word) = watch::channel(false);
    let (heard, mut all) = mpsc::channel(count.max(1));
    for (number, client) in clients.into_iter().enumerate() {
        tokio::spawn(stay(client, (number + 1) % count, word.clone(), heard.clone()));
    }
    drop(heard);
    let before = relay.resident_memory()?;
    let endpoint = noq::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into())?;
    let discovery = QuicClient::new(endpoint, tls()?);
    let address = relay.listening.address;
    let asking = stream::iter(0..count).map(|_| discovery.create_conn(address, "localhost")).buffered(DIALLING);
    let asking: Vec<_> = asking.try_collect().await.context("address discovery")?;
    println!("address discovery: {:.1} KiB a client more", per_client(&relay, before, count)?);

    let cpu = relay.cpu_time()?;
    let held = tokio::time::timeout(HOLD, all.recv()).await;
    ensure!(held.is_err(), "a client was put out while it was idle: {held:?}");
    let cpu = relay.cpu_time()? - cpu;
    println!(
        "idle for {} s: {:.1} ms of processor time a second",
        HOLD.as_secs(),
        cpu.as_secs_f64() * 1e3 / HOLD.as_secs_f64()
    );
    let alive = asking.iter().filter(|connection| connection.close_reason().is_none()).count();
    ensure!(alive == count, "{alive} of {count} connections of address discovery are left");
    say.send_replace(true);
    let last = async {
        for _ in 0..count {
            all.recv().await.context("a client is gone without a word")??;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(LAST, last).await.context("packets did not come in time")??;
    println!(
        "all {count} clients were reached after that; at the end {:.1} MiB resident",
        relay.resident_memory()? as f64 / f64::from(1 << 20)
    );
    Ok(())
}

fn per_client(relay: &Process, before: u64, count: usize) -> Result<f64> {
    Ok(relay.resident_memory()?.saturating_sub(before) as f64 / 1024.0 / count as f64)
}

fn key(number: usize) -> SecretKey {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&(number as u64).to_be_bytes());
    SecretKey::from_bytes(&seed)
}

fn tls() -> Result<rustls::ClientConfig> {
    let any = CaTlsConfig::custom_server_cert_verifier(Arc::new(|provider| Ok(Arc::new(AnyCertificate(provider)))));
    Ok(any.client_config(Arc::new(aws_lc_rs::default_provider()))?)
}

async fn connect(link: &RelayLink, number: usize) -> Result<Client> {
    let url: RelayUrl = format!("https://{}:{}/", link.host, link.port).parse()?;
    let builder = ClientBuilder::new(url, key(number), DnsResolver::builder().disable_fallback().build());
    let builder = builder.tls_client_config(tls()?).auth_token(BASE64URL_NOPAD.encode(&link.pass));
    Ok(builder.connect().await?)
}

/// Answers pings until the word comes; then sends one packet, and says when one came.
async fn stay(mut client: Client, next: usize, mut word: watch::Receiver<bool>, heard: mpsc::Sender<Result<()>>) {
    let outcome = async {
        let (mut sent, mut came) = (false, false);
        while !(sent && came) {
            tokio::select! {
                said = word.changed(), if !sent => {
                    said?;
                    sent = true;
                    let datagrams = Datagrams::from(b"are you there?");
                    client.send(ClientToRelayMsg::Datagrams { dst_endpoint_id: key(next).public(), datagrams }).await?;
                }
                message = client.next() => match message.context("the relay ended the connection")?? {
                    RelayToClientMsg::Ping(data) => client.send(ClientToRelayMsg::Pong(data)).await?,
                    RelayToClientMsg::Datagrams { .. } => came = true,
                    _ => {}
                },
            }
        }
        anyhow::Ok(())
    }
    .await;
    // The other side is gone only when the run failed already.
    drop(heard.send(outcome).await);
    // The connection stays until everybody was reached.
    heard.closed().await;
}
