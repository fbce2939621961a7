//! Networks made of namespaces.
//!
//! ```text
//!   home a ── nat a ──┐              ┌── nat b ── home b
//!  10.0.1.2  10.0.1.1 │              │ 10.0.2.1  10.0.2.2
//!            203.0.113.2          203.0.113.3
//!                     └── public ────┘
//!                   203.0.113.1: the relay
//! ```
//!
//! A NAT must drop unsolicited input on its outer side, as boxes in homes do. Without that the kernel keeps the peer's
//! probe as a connection of its own and gives our packet another port, and what looks like a friendly NAT is a hard one.

use std::fmt;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Where the relay is.
pub const RELAY: &str = "203.0.113.1";
/// One way from each home to the public side, in milliseconds, where the kernel can do that.
pub const DELAY_MS: u32 = 20;
/// Networks that exist in a laboratory at all.
const ADDRESSES: [&str; 3] = ["203.0.113.0/24", "10.0.1.0/24", "10.0.2.0/24"];

/// What stands between two peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Case {
    /// Nothing
    Open,
    /// A NAT each, with a mapping that is the same for all destinations
    HomeHome,
    /// Nothing, and a NAT with another mapping for each destination
    OpenSymmetric,
    /// A NAT of each kind
    HomeSymmetric,
    /// The same, and the one of the first kind opens a port when it is asked
    AskedHomeSymmetric,
    /// Two NATs with another mapping for each destination
    SymmetricSymmetric,
    /// Both behind the same NAT
    SameNat,
    /// A NAT each, and one lets no UDP through
    UdpBlocked,
}

impl Case {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Open,
        Self::HomeHome,
        Self::OpenSymmetric,
        Self::HomeSymmetric,
        Self::AskedHomeSymmetric,
        Self::SymmetricSymmetric,
        Self::SameNat,
        Self::UdpBlocked,
    ];

    /// Whether the NAT of home a opens ports.
    pub const fn is_asked(self) -> bool {
        matches!(self, Self::AskedHomeSymmetric)
    }

    const fn sides(self) -> [Side; 2] {
        match self {
            Self::Open => [Side::Open, Side::Open],
            Self::HomeHome => [Side::Home, Side::Home],
            Self::OpenSymmetric => [Side::Open, Side::Symmetric],
            Self::HomeSymmetric | Self::AskedHomeSymmetric => [Side::Home, Side::Symmetric],
            Self::SymmetricSymmetric => [Side::Symmetric, Side::Symmetric],
            Self::SameNat => [Side::Home, Side::Neighbour],
            Self::UdpBlocked => [Side::NoUdp, Side::Home],
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_possible_value().as_ref().map_or("", |value| value.get_name()))
    }
}

/// How one home is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// With an address of its own.
    Open,
    /// Behind a NAT whose mapping does not depend on the destination.
    Home,
    /// Behind a NAT whose mapping depends on address and port of the destination.
    Symmetric,
    /// Behind a NAT of the first kind that lets no UDP through.
    NoUdp,
    /// Behind the other one's NAT.
    Neighbour,
}

/// One of the two homes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// The one that dials.
    A,
    /// The one that listens.
    B,
}

impl Home {
    const BOTH: [Self; 2] = [Self::A, Self::B];

    const fn letter(self) -> char {
        match self {
            Self::A => 'a',
            Self::B => 'b',
        }
    }

    const fn number(self) -> u8 {
        match self {
            Self::A => 1,
            Self::B => 2,
        }
    }
}

/// What the laboratory needs and this machine has not.
pub fn missing() -> Option<String> {
    let runs = |program: &str, arguments: &[&str]| {
        let status = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    if !is_root {
        return Some("root".into());
    }
    for (program, arguments, package) in [("ip", ["-V"], "iproute2"), ("nft", ["--version"], "nftables")] {
        if !runs(program, &arguments) {
            return Some(format!("the program {program} (Debian's package {package})"));
        }
    }
    let name = format!("srb{}-try", std::process::id());
    if !runs("ip", &["netns", "add", &name]) {
        return Some("the right to make network namespaces".into());
    }
    (!runs("ip", &["netns", "del", &name])).then(|| "the right to remove network namespaces".into())
}

/// Whether this kernel can delay packets.
pub fn has_delay() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| {
        let name = format!("srb{}-delay", std::process::id());
        let delay = ["netns", "exec", &name, "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"];
        let made = done(Command::new("ip").args(["netns", "add", &name])).is_ok();
        let has = made && done(Command::new("ip").args(delay)).is_ok();
        if made && let Err(error) = done(Command::new("ip").args(["netns", "del", &name])) {
            eprintln!("a namespace of the laboratory is left behind: {error:#}");
        }
        has
    })
}

/// A laboratory. Its namespaces are removed when it is dropped.
#[derive(Debug)]
pub struct Laboratory {
    name: String,
    namespaces: Vec<String>,
}

impl Laboratory {
    /// Builds the networks of a case.
    ///
    /// # Errors
    /// When the kernel or one of the programs refuses.
    pub fn build(case: Case) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("srb{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut laboratory = Self { name, namespaces: Vec::new() };
        laboratory.add("public")?;
        laboratory.ip("public", "link add name br0 type bridge")?;
        laboratory.ip("public", &format!("addr add {RELAY}/24 dev br0"))?;
        laboratory.ip("public", "link set br0 up")?;
        for (home, side) in Home::BOTH.into_iter().zip(case.sides()) {
            laboratory.connect(home, side)?;
            laboratory.watch(home)?;
        }
        Ok(laboratory)
    }

    /// The namespace where the relay runs.
    pub fn public(&self) -> String {
        self.namespace("public")
    }

    /// The namespace of home a's NAT, its inner address with the port of PCP, and its outer address.
    pub fn router(&self) -> (String, &'static str, &'static str) {
        (self.namespace("nata"), "10.0.1.1:5351", "203.0.113.2")
    }

    /// The namespace of a home.
    pub fn home(&self, home: Home) -> String {
        self.namespace(&home_name(home))
    }

    fn connect(&mut self, home: Home, side: Side) -> Result<()> {
        let (letter, number) = (home.letter(), home.number());
        let own = home_name(home);
        self.add(&own)?;
        match side {
            Side::Open => {
                self.plug(&own, "public", &format!("203.0.113.{}/24", 10 + number))?;
            }
            Side::Neighbour => {
                self.plug(&own, "nata", "10.0.1.3/24")?;
                self.ip(&own, "route add default via 10.0.1.1")?;
            }
            Side::Home | Side::Symmetric | Side::NoUdp => {
                let nat = format!("nat{letter}");
                self.add(&nat)?;
                self.ip(&nat, "link add name br0 type bridge")?;
                self.ip(&nat, &format!("addr add 10.0.{number}.1/24 dev br0"))?;
                self.ip(&nat, "link set br0 up")?;
                self.plug(&nat, "public", &format!("203.0.113.{}/24", 1 + number))?;
                self.plug(&own, &nat, &format!("10.0.{number}.2/24"))?;
                self.ip(&own, &format!("route add default via 10.0.{number}.1"))?;
                self.run(&nat, "sysctl", &["-qw", "net.ipv4.ip_forward=1"])?;
                let mapping = if side == Side::Symmetric { "masquerade fully-random" } else { "masquerade" };
                let udp = if side == Side::NoUdp { "meta l4proto udp drop" } else { "" };
                self.nft(
                    &nat,
                    &format!(
                        "table ip nat {{ chain pre {{ type nat hook prerouting priority -100; }}
                           chain post {{ type nat hook postrouting priority 100; oifname \"up0\" {mapping};
                           }}
                         }}
                         table inet door {{
                           chain input {{ type filter hook input priority 0; iifname \"up0\" ct state new drop;
                           }}
                           chain forward {{ type filter hook forward priority 0; ct status dnat accept; iifname \"up0\" ct state new drop; {udp}
                           }}
                         }}"
                    ),
                )?;
            }
        }
        Ok(())
    }

    /// Counts what a home sends to anywhere but the addresses that exist in the laboratory.
    fn watch(&self, home: Home) -> Result<()> {
        self.nft(
            &home_name(home),
            &format!(
                "table inet watch {{
                   counter elsewhere {{ }}
                   chain output {{ type filter hook output priority 0; oifname \"lo\" accept; ip daddr {{ {} }} accept
                     counter name elsewhere
                   }}
                 }}",
                ADDRESSES.join(", ")
            ),
        )
    }

    /// Packets that a home sent elsewhere.
    ///
    /// # Errors
    /// When nft does not answer.
    pub fn elsewhere(&self, home: Home) -> Result<u64> {
        let output = self
            .command(&home_name(home), "nft")
            .args(["-j", "list", "counter", "inet", "watch", "elsewhere"])
            .output()
            .context("nft does not start")?;
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).context("nft answers in no JSON")?;
        let counters = answer["nftables"].as_array().context("nft names no counter")?;
        counters.iter().find_map(|object| object["counter"]["packets"].as_u64()).context("nft counts nothing")
    }

    /// Cuts or heals everything but the way to the relay.
    ///
    /// # Errors
    /// When nft refuses.
    pub fn cut(&self, home: Home, cut: bool) -> Result<()> {
        let own = home_name(home);
        if !cut {
            return self.nft(&own, "delete table inet cut");
        }
        self.nft(
            &own,
            &format!(
                "table inet cut {{
                   chain output {{ type filter hook output priority 10; oifname \"lo\" accept; ip daddr != {RELAY} drop;
                   }}
                   chain input {{ type filter hook input priority 10; iifname \"lo\" accept; ip saddr != {RELAY} drop;
                   }}
                 }}"
            ),
        )
    }

    /// Makes a namespace.
    fn add(&mut self, short: &str) -> Result<()> {
        let namespace = self.namespace(short);
        done(Command::new("ip").args(["netns", "add", &namespace]))?;
        self.namespaces.push(namespace);
        // The kernel's own IPv6 chatter would be counted as talk with others.
        self.run(
            short,
            "sysctl",
            &["-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"],
        )?;
        self.ip(short, "link set lo up")
    }

    /// Connects a namespace, by its interface `up0`, to the bridge of another one.
    fn plug(&self, short: &str, to: &str, address: &str) -> Result<()> {
        let bridge_side = format!("to-{short}");
        let there = self.namespace(to);
        self.ip(short, &format!("link add name up0 type veth peer name {bridge_side} netns {there}"))?;
        self.ip(to, &format!("link set {bridge_side} master br0 up"))?;
        self.ip(short, &format!("addr add {address} dev up0"))?;
        self.ip(short, "link set up0 up")?;
        if to == "public" && has_delay() {
            let delay = format!("{DELAY_MS}ms");
            self.run(short, "tc", &["qdisc", "add", "dev", "up0", "root", "netem", "delay", &delay])?;
            self.run(to, "tc", &["qdisc", "add", "dev", &bridge_side, "root", "netem", "delay", &delay])?;
        }
        Ok(())
    }

    fn namespace(&self, short: &str) -> String {
        format!("{}-{short}", self.name)
    }

    fn ip(&self, short: &str, arguments: &str) -> Result<()> {
        let namespace = self.namespace(short);
        done(Command::new("ip").args(["-n", &namespace]).args(arguments.split(' ')))
    }

    fn nft(&self, short: &str, rules: &str) -> Result<()> {
        done(self.command(short, "nft").arg(rules))
    }

    fn run(&self, short: &str, program: &str, arguments: &[&str]) -> Result<()> {
        done(self.command(short, program).args(arguments))
    }

    fn command(&self, short: &str, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(short), program]);
        command
    }
}

impl Drop for Laboratory {
    fn drop(&mut self) {
        for namespace in self.namespaces.iter().rev() {
            if let Err(error) = done(Command::new("ip").args(["netns", "del", namespace])) {
                eprintln!("a namespace of the laboratory is left behind: {error:#}");
            }
        }
    }
}

fn home_name(home: Home) -> String {
    format!("home{}", home.letter())
}

fn done(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?} does not start"))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
