//! How packets travel: cryptography, timeouts and windows of an endpoint.

use std::sync::Arc;
use std::time::Duration;

use iroh::endpoint::{QuicTransportConfig, VarInt};
use rustls::crypto::{CryptoProvider, aws_lc_rs};

/// After so long without a sign of life a path is dead, and frames take another one.
const PATH_IDLE: Duration = Duration::from_secs(4);
/// How often a path gives a sign of life.
const PATH_ALIVE: Duration = Duration::from_secs(1);
/// After so long without a sign of life on any path the link is lost: a relay may restart meanwhile.
const LINK_IDLE_MS: u32 = 20_000;
/// Bytes under way to us that were not read. Enough for 800 Mbit/s at 20 ms.
const WINDOW: u32 = 2 * 1024 * 1024;
/// Addresses of the peer that are tried.
const PEER_ADDRESSES: u8 = 12;

/// AWS-LC, and only the hybrid key exchange: what is recorded today is not read by a quantum computer. The library's own
/// default agreed on X25519 alone.
pub(super) fn provider() -> Arc<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![aws_lc_rs::kx_group::X25519MLKEM768];
    provider.cipher_suites.retain(|suite| suite.tls13().is_some());
    Arc::new(provider)
}

/// One stream of bounded windows, on paths whose death is noticed soon.
pub(super) fn transport() -> QuicTransportConfig {
    QuicTransportConfig::builder()
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(VarInt::from_u32(WINDOW))
        .receive_window(VarInt::from_u32(WINDOW))
        .send_window(u64::from(WINDOW))
        .default_path_max_idle_timeout(PATH_IDLE)
        .default_path_keep_alive_interval(PATH_ALIVE)
        .max_idle_timeout(Some(VarInt::from_u32(LINK_IDLE_MS).into()))
        .max_remote_nat_traversal_addresses(PEER_ADDRESSES)
        .build()
}
