//! `RelayPass`: a short-lived pass for this server's relay, for one endpoint of a logged-in device.
//!
//! Refused: `NO_RELAY` where there is none; `MALFORMED`.

use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::RelayPassRequest;

use crate::core::failure::Handled;
use crate::core::turn::Turn;

pub(crate) fn handle(_turn: &mut Turn<'_>, request: &RelayPassRequest) -> Handled {
    let _endpoint: [u8; 32] = request.endpoint.as_slice().try_into().map_err(|_| ErrorCode::Malformed)?;
    Err(ErrorCode::NoRelay.into())
}
