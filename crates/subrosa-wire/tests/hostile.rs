//! Bytes from a peer that means no good, or is newer than we are: the decoders never panic, refuse what is too large
//! before they read it, and skip what they do not know.

mod samples;

use bytes::{Buf, Bytes};
use proptest::prelude::*;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};
use samples::{Sample, answers, direct, requests, statements};
use subrosa_types::limits;
use subrosa_wire::frame::SERVER_FRAME;
use subrosa_wire::proto::client_frame::Request;
use subrosa_wire::proto::{ClientFrame, DirectFrame, DirectHello, DirectMessage, ErrorCode, Ping, ServerFrame, Signed};
use subrosa_wire::{DecodeError, Refusal, Ticket, decode_client_frame, decode_server_frame, encode};

fn all_samples() -> Vec<Sample> {
    let of_links = [direct::frames(), direct::messages(), vec![direct::hello()]].into_iter().flatten();
    [requests::all(), answers::answers(), answers::pushes(), statements::all()]
        .into_iter()
        .flatten()
        .chain(of_links)
        .collect()
}

/// Every decoder; the result does not matter.
fn decode_as_everything(bytes: &[u8]) {
    let _client = decode_client_frame(bytes, limits::FRAME);
    let _server = decode_server_frame(bytes);
    let _signed = Signed::decode(bytes);
    let _direct = (DirectFrame::decode(bytes), DirectMessage::decode(bytes), DirectHello::decode(bytes));
    let _ticket = subrosa_wire::proto::Ticket::decode(bytes).map(Ticket::from_proto);
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        decode_as_everything(&bytes);
    }

    #[test]
    fn damaged_frames_never_panic(
        which in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let samples = all_samples();
        let mut bytes = which.get(&samples).bytes.to_vec();
        if bytes.is_empty() {
            return Ok(());
        }
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        decode_as_everything(&bytes);
        bytes.truncate(cut.index(bytes.len() + 1));
        decode_as_everything(&bytes);
    }

    #[test]
    fn a_frame_that_decodes_has_one_encoding_from_us(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(frame) = decode_client_frame(bytes.as_slice(), limits::FRAME) {
            let again = encode(&frame);
            prop_assert_eq!(decode_client_frame(again, limits::FRAME), Ok(frame));
        }
    }
}

/// Says that it is enormous, and panics when somebody reads it.
struct Enormous;

impl Buf for Enormous {
    fn remaining(&self) -> usize {
        usize::MAX
    }

    fn chunk(&self) -> &[u8] {
        panic!("a frame over the limit was read")
    }

    fn advance(&mut self, _: usize) {
        panic!("a frame over the limit was read")
    }
}

#[test]
fn a_frame_over_the_limit_is_refused_before_it_is_read() {
    let limit = limits::FRAME_BEFORE_LOGIN;
    assert_eq!(decode_client_frame(Enormous, limit), Err(DecodeError::TooLarge { limit }));
    assert_eq!(decode_server_frame(Enormous), Err(DecodeError::TooLarge { limit: SERVER_FRAME }));
    let ping = ClientFrame { id: 1, request: Some(Request::Ping(Ping {})) };
    let length = ping.encoded_len();
    assert!(decode_client_frame(encode(&ping), length).is_ok());
    assert_eq!(decode_client_frame(encode(&ping), length - 1), Err(DecodeError::TooLarge { limit: length - 1 }));
}

#[test]
fn a_length_that_lies_is_malformed_and_allocates_nothing() {
    // Field 2 (hello), said to have almost 2⁶⁴ bytes; and a packed nesting of 200 levels.
    let mut lying = Vec::new();
    encode_key(2, WireType::LengthDelimited, &mut lying);
    encode_varint(u64::MAX, &mut lying);
    assert_eq!(decode_client_frame(lying.as_slice(), limits::FRAME), Err(DecodeError::Malformed));
    let groups = [0x0B_u8; 200];
    assert_eq!(decode_client_frame(groups.as_slice(), limits::FRAME), Err(DecodeError::Malformed));
}

#[test]
fn unknown_fields_are_skipped() {
    for sample in requests::all() {
        let mut bytes = sample.bytes.to_vec();
        encode_key(1000, WireType::LengthDelimited, &mut bytes);
        encode_varint(3, &mut bytes);
        bytes.extend(b"new");
        let known = decode_client_frame(sample.bytes, limits::FRAME);
        let decoded = decode_client_frame(Bytes::from(bytes), limits::FRAME);
        assert_eq!(decoded, known, "{}: {}", sample.name, sample.shown);
    }
}

#[test]
fn an_unknown_request_keeps_its_id_so_that_it_can_be_refused() {
    let mut bytes = ClientFrame { id: 77, request: None }.encode_to_vec();
    encode_key(200, WireType::LengthDelimited, &mut bytes);
    encode_varint(0, &mut bytes);
    assert_eq!(decode_client_frame(bytes.as_slice(), limits::FRAME), Ok(ClientFrame { id: 77, request: None }));
    let mut push = Vec::new();
    encode_key(200, WireType::LengthDelimited, &mut push);
    encode_varint(0, &mut push);
    assert_eq!(decode_server_frame(push.as_slice()), Ok(ServerFrame { body: None }));
}

#[test]
fn an_unknown_error_code_is_still_a_refusal() {
    let error = subrosa_wire::proto::Error { code: 4711, retry_after_ms: 5, ..Default::default() };
    let refusal = Refusal::from(error);
    assert_eq!((refusal.code, refusal.retry_after_ms), (ErrorCode::Internal, 5));
}
