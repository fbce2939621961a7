//! `Hello`: nonces, and the server's signature over them and the TLS exporter value.
//!
//! Refused: `OUT_OF_STATE` unless it is the first request; `UNSUPPORTED_VERSION`; `MALFORMED` for a nonce that is not 32
//! bytes.

use subrosa_crypto::Channel;
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::{Hello, HelloAnswer, answer};

use crate::core::failure::Handled;
use crate::core::session::Stage;
use crate::core::turn::Turn;

/// The only version of the protocol.
const VERSION: u32 = 1;

pub(crate) fn handle(turn: &mut Turn<'_>, request: &Hello) -> Handled {
    if !matches!(turn.stage()?, Stage::Fresh) {
        return Err(ErrorCode::OutOfState.into());
    }
    if request.version != VERSION {
        return Err(ErrorCode::UnsupportedVersion.into());
    }
    let client_nonce = request.client_nonce.as_slice().try_into().map_err(|_| ErrorCode::Malformed)?;
    let Some(session) = turn.state.sessions.find(turn.session) else { return Err(ErrorCode::OutOfState.into()) };
    let tls_exporter = session.peer.tls_exporter;
    let mut server_nonce = [0; 32];
    turn.rng.fill_bytes(&mut server_nonce);

    let identity = &turn.state.identity;
    let channel = Channel { server_key: identity.public, client_nonce, server_nonce, tls_exporter };
    let signature = channel.sign_hello(&identity.key).to_vec();
    let server_key = identity.public.to_vec();
    turn.advance(Stage::Greeted(Box::new(channel)));
    Ok(answer::Body::Hello(HelloAnswer {
        server_key,
        server_nonce: server_nonce.to_vec(),
        signature,
        server_time: turn.now.0,
    }))
}

#[cfg(test)]
mod tests {
    use subrosa_wire::proto::client_frame::Request as Body;
    use subrosa_wire::proto::{FetchInbox, Ping};

    use super::*;
    use crate::core::testing::World;

    #[test]
    fn the_server_proves_its_key_for_this_connection() {
        // `greet` checks the signature as a client does.
        World::new().greet();
    }

    #[test]
    fn nothing_may_be_said_before_hello_nor_hello_twice() {
        let mut world = World::new();
        let session = world.connect();
        assert_eq!(world.call(session, Body::Ping(Ping {})).unwrap_err().code, ErrorCode::OutOfState);
        assert_eq!(world.ended(session), Some(ErrorCode::OutOfState));
        let (session, _) = world.greet();
        let again = Hello { version: 1, client_nonce: vec![0; 32] };
        assert_eq!(world.call(session, Body::Hello(again)).unwrap_err().code, ErrorCode::OutOfState);
    }

    #[test]
    fn requests_of_people_need_a_login_and_a_breach_ends_only_its_own_connection() {
        let mut world = World::new();
        let alice = world.sign_up("alice");
        let (session, _) = world.greet();
        let fetch = || Body::FetchInbox(FetchInbox { after: 0 });
        let answers = world.batch([(session, fetch()), (alice.device.session, fetch()), (session, fetch())]);
        assert_eq!(answers[0].as_ref().unwrap_err().code, ErrorCode::OutOfState);
        assert!(answers[1].is_ok());
    }

    #[test]
    fn another_version_and_a_short_nonce_are_refused() {
        for (version, nonce, code) in [
            (2, 32, ErrorCode::UnsupportedVersion),
            (1, 31, ErrorCode::Malformed),
            (0, 0, ErrorCode::UnsupportedVersion),
        ] {
            let mut world = World::new();
            let session = world.connect();
            let hello = Hello { version, client_nonce: vec![0; nonce] };
            assert_eq!(world.call(session, Body::Hello(hello)).unwrap_err().code, code);
            assert_eq!(world.ended(session), Some(code));
        }
    }
}
