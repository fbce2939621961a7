//! `RelayPass`: where this server's relay is, and what admits one endpoint of a logged-in device there.
//!
//! Host and port are left out: the client has them in the link by which it came, which may lead through a forwarded port.
//!
//! Refused: `MALFORMED`; `NO_RELAY` where there is none; `RATE_LIMITED`, since each pass admits a further endpoint for a day.

use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::{RelayAddress, RelayPassAnswer, RelayPassRequest, answer};

use crate::core::failure::Handled;
use crate::core::session::Login;
use crate::core::turn::Turn;
use crate::relay::RelayMode;

pub(crate) fn handle(turn: &mut Turn<'_>, login: &Login, request: &RelayPassRequest) -> Handled {
    let endpoint: [u8; 32] = request.endpoint.as_slice().try_into().map_err(|_| ErrorCode::Malformed)?;
    if turn.state.config.relay != RelayMode::Off {
        turn.count_relay_pass(login)?;
    }
    let pass = match turn.state.config.relay {
        RelayMode::Open => Vec::new(),
        RelayMode::Members => turn.state.relay_passes.issue(&endpoint, turn.now),
        RelayMode::Off => return Err(ErrorCode::NoRelay.into()),
    };
    let fingerprint = turn.state.identity.public.fingerprint().0.to_vec();
    Ok(answer::Body::RelayPass(RelayPassAnswer {
        relay: Some(RelayAddress { host: String::new(), port: 0, fingerprint, pass }),
    }))
}

#[cfg(test)]
mod tests {
    use subrosa_wire::proto::client_frame::Request as Body;

    use super::*;
    use crate::core::CoreConfig;
    use crate::core::testing::World;

    #[test]
    fn a_device_gets_so_many_passes_and_then_one_a_second() {
        let config = CoreConfig { relay: RelayMode::Members, ..CoreConfig::default() };
        let burst = config.rates.relay_passes.burst;
        let mut world = World::with(config);
        let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
        let ask = || Body::RelayPass(RelayPassRequest { endpoint: vec![7; 32] });
        for _ in 0..burst {
            world.call(alice.device.session, ask()).unwrap();
        }
        assert_eq!(world.call(alice.device.session, ask()).unwrap_err().code, ErrorCode::RateLimited);
        world.call(bob.device.session, ask()).unwrap();
        world.now = world.now.plus_millis(1_000);
        world.call(alice.device.session, ask()).unwrap();
        assert_eq!(world.call(alice.device.session, ask()).unwrap_err().code, ErrorCode::RateLimited);
    }
}
