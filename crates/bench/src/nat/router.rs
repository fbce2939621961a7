//! The part of a home router that opens ports when it is asked (PCP, RFC 6887): this program again, in a NAT's namespace.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// Answers on `listen` until it is killed, and opens ports of `outer` with nft.
///
/// # Errors
/// When the port cannot be had, or nft refuses.
pub fn run(listen: SocketAddr, outer: IpAddr) -> Result<()> {
    let IpAddr::V4(outer) = outer else { anyhow::bail!("the laboratory has no IPv6") };
    let socket = UdpSocket::bind(listen)?;
    println!("{{\"event\":\"link\"}}");
    let mut bytes = [0; 1100];
    loop {
        let (length, from) = socket.recv_from(&mut bytes)?;
        // Version 2, MAP, UDP: all that our endpoints ask.
        if length != 60 || bytes[..2] != [2, 1] || bytes[36] != 17 {
            continue;
        }
        let client: [u8; 16] = bytes[8..24].try_into()?;
        ensure!(Ipv6Addr::from(client).to_canonical() == from.ip(), "a client asks in another one's name");
        let port = u16::from_be_bytes(bytes[40..42].try_into()?);
        let mut rules = "flush chain ip nat pre\n".to_owned();
        if bytes[4..8] != [0; 4] {
            rules += &format!("add rule ip nat pre iifname up0 udp dport {port} dnat to {}:{port}", from.ip());
        }
        let done = Command::new("nft").arg(&rules).status().context("nft does not start")?;
        ensure!(done.success(), "nft refuses {rules}");
        bytes[1] |= 0x80;
        bytes[42..44].copy_from_slice(&port.to_be_bytes());
        bytes[44..60].copy_from_slice(&outer.to_ipv6_mapped().octets());
        socket.send_to(&bytes[..60], from)?;
    }
}
