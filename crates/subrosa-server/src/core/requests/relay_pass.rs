//! `RelayPass`: where this server's relay is, and what admits one endpoint of a logged-in device there.
//!
//! Host and port are left out: the client has them in the link by which it came, which may lead through a forwarded port.
//!
//! Refused: `MALFORMED`; `NO_RELAY` where there is none.

use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::{RelayAddress, RelayPassAnswer, RelayPassRequest, answer};

use crate::core::failure::Handled;
use crate::core::turn::Turn;
use crate::relay::RelayMode;

pub(crate) fn handle(turn: &mut Turn<'_>, request: &RelayPassRequest) -> Handled {
    let endpoint: [u8; 32] = request.endpoint.as_slice().try_into().map_err(|_| ErrorCode::Malformed)?;
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
