//! What an operator may set. Reading a file or flags is the program's business; this is the form.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use subrosa_types::limits;

use crate::core::{CoreConfig, Faults, Rates, Signup};
use crate::relay::{RelayLimits, RelayMode};
use crate::rooms::{Passes, RoomLimits, RoomPolicy};

/// Settings of a server. Every field has a default but the folder, which the caller fills in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Address and port to listen on; port 0 picks a free one. Default: `127.0.0.1:5535`. On an address that is not
    /// loopback the first sign-up needs the setup code.
    pub listen: SocketAddr,
    /// Folder of the database. It is made with mode 0700 if it is not there. Default: `subrosa-server` in the working
    /// folder.
    pub folder: PathBuf,
    /// Host in the server's link, for a server that clients reach by another name than the address it listens on.
    pub public_host: Option<String>,
    /// Who may sign up: `open` (default), `invite`, or `closed`. The first account always may.
    pub signup: Signup,
    /// Days for which messages are kept for devices that are away. Default: 90.
    pub retention_days: u32,
    /// Limits in time: attempts, messages.
    pub rates: Rates,
    /// Whom the relay for direct links admits: `open`, `members`, or `off`. Default: `open` on a loopback address, else
    /// `members`. It takes UDP on the same port number.
    pub relay: Option<RelayMode>,
    /// What one client may take of the relay.
    pub relay_limits: RelayLimits,
    /// Who may enter rooms: `open`, `members` or `off`. Default: `open` on loopback, else `members`.
    pub rooms: Option<RoomPolicy>,
    /// How large rooms may become.
    pub room_limits: RoomLimits,
    /// Connections at a time; further ones wait. Default: 16384.
    pub max_connections: usize,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5535),
            folder: PathBuf::from("subrosa-server"),
            public_host: None,
            signup: Signup::Open,
            retention_days: limits::RETENTION_DAYS,
            rates: Rates::default(),
            relay: None,
            relay_limits: RelayLimits::default(),
            rooms: None,
            room_limits: RoomLimits::default(),
            max_connections: 16 * 1024,
        }
    }
}

impl ServerConfig {
    /// Whom the relay admits.
    pub(crate) fn relay(&self) -> RelayMode {
        let default = if self.listen.ip().is_loopback() { RelayMode::Open } else { RelayMode::Members };
        self.relay.unwrap_or(default)
    }

    /// Who may enter rooms.
    pub fn room_policy(&self) -> RoomPolicy {
        let default = if self.listen.ip().is_loopback() { RoomPolicy::Open } else { RoomPolicy::Members };
        self.rooms.unwrap_or(default)
    }

    /// Limits of rooms; what a frame must be able to carry is no matter of choice.
    pub(crate) fn room_limits(&self) -> RoomLimits {
        let guests_a_room = self.room_limits.guests_a_room.min(limits::ROOM_GUESTS);
        RoomLimits { guests_a_room, ..self.room_limits }
    }

    /// What the core needs of it.
    pub(crate) fn core(&self, passes: &Arc<Passes>) -> CoreConfig {
        CoreConfig {
            passes: (self.room_policy() != RoomPolicy::Off).then(|| passes.clone()),
            signup: self.signup,
            setup_code: !self.listen.ip().is_loopback(),
            retention_days: self.retention_days,
            rates: self.rates,
            relay: self.relay(),
            faults: Faults::NONE,
            ..CoreConfig::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_names_only_what_differs_from_the_default() {
        let config: ServerConfig = serde_json::from_str(
            r#"{"listen":"0.0.0.0:7000","signup":"invite","rates":{"messages":{"burst":5,"refill_ms":0}}}"#,
        )
        .unwrap();
        assert_eq!(config.listen.port(), 7000);
        assert_eq!(config.rates.messages.burst, 5);
        assert_eq!(config.rates.login_per_account, Rates::default().login_per_account);
        let passes = Arc::default();
        assert!(config.core(&passes).setup_code);
        assert!(!ServerConfig::default().core(&passes).setup_code);
    }

    #[test]
    fn rooms_are_open_on_loopback_and_for_members_elsewhere_unless_the_operator_says_otherwise() {
        let policy = |text: &str| serde_json::from_str::<ServerConfig>(text).unwrap().room_policy();
        assert_eq!(policy("{}"), RoomPolicy::Open);
        assert_eq!(policy(r#"{"listen":"[::1]:7000"}"#), RoomPolicy::Open);
        assert_eq!(policy(r#"{"listen":"0.0.0.0:7000"}"#), RoomPolicy::Members);
        assert_eq!(policy(r#"{"listen":"0.0.0.0:7000","rooms":"open"}"#), RoomPolicy::Open);
        assert_eq!(policy(r#"{"rooms":"off"}"#), RoomPolicy::Off);
        let config: ServerConfig =
            serde_json::from_str(r#"{"rooms":"off","room_limits":{"guests_a_room":9999}}"#).unwrap();
        assert!(config.core(&Arc::default()).passes.is_none());
        assert_eq!(config.room_limits().guests_a_room, limits::ROOM_GUESTS, "a frame carries no more");
    }

    #[test]
    fn a_relay_is_open_to_everybody_only_on_loopback_unless_it_is_said() {
        let of = |json: &str| serde_json::from_str::<ServerConfig>(json).unwrap().relay();
        assert_eq!(of("{}"), RelayMode::Open);
        assert_eq!(of(r#"{"listen":"0.0.0.0:7000"}"#), RelayMode::Members);
        assert_eq!(of(r#"{"listen":"0.0.0.0:7000","relay":"open"}"#), RelayMode::Open);
        assert_eq!(of(r#"{"relay":"off","relay_limits":{"bytes_per_second":1}}"#), RelayMode::Off);
    }

    #[test]
    fn an_unknown_setting_is_refused() {
        assert!(serde_json::from_str::<ServerConfig>(r#"{"lisen":"0.0.0.0:7000"}"#).is_err());
        assert!(serde_json::from_str::<ServerConfig>(r#"{"signup":"anybody"}"#).is_err());
    }
}
