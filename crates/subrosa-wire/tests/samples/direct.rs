//! The frames and messages of a direct link.

use subrosa_wire::proto::direct_frame::Frame;
use subrosa_wire::proto::direct_message::Message;
use subrosa_wire::proto::{
    DirectAlive, DirectEncryption, DirectFileAccept, DirectFileAck, DirectFileChunk, DirectFileEnd, DirectFileOffer,
    DirectFileOutcome, DirectFileStart, DirectFrame, DirectGoodbye, DirectHello, DirectMessage, DirectProof,
    DirectRecord, DirectRefusal, DirectRefusalCode, DirectSide, DirectText,
};

use super::{AT, Sample, key, sample, signature};

/// Every variant of `DirectFrame`.
pub fn frames() -> Vec<Sample> {
    let frame = |name, frame| sample(name, DirectFrame { frame: Some(frame) });
    vec![
        frame("commitment", Frame::Commitment(key(1))),
        frame("hello", Frame::Hello(vec![2, 3])),
        frame("agreement", Frame::Agreement(vec![4, 5])),
        frame("proof", Frame::Proof(DirectProof { signature: signature(6), ticket: key(7) })),
        frame("refusal", Frame::Refusal(DirectRefusal { code: DirectRefusalCode::Busy.into() })),
        frame("record", Frame::Record(DirectRecord { number: 8, sealed: vec![9] })),
    ]
}

/// A hello, which travels inside a frame as bytes, and every variant of `DirectMessage`.
pub fn messages() -> Vec<Sample> {
    let message = |name, message| sample(name, DirectMessage { message: Some(message) });
    let outcome = DirectFileOutcome::Damaged.into();
    vec![
        message("text", Message::Text(DirectText { number: 1, text: "hello".into(), sent_at: AT })),
        message("text_ack", Message::TextAck(2)),
        message("offer", Message::Offer(DirectFileOffer { number: 3, name: "a.txt".into(), size: 4, sha256: key(5) })),
        message("accept", Message::Accept(DirectFileAccept { number: 6, offset: 7, prefix_sha256: key(8) })),
        message("start", Message::Start(DirectFileStart { number: 9, offset: 10 })),
        message("chunk", Message::Chunk(DirectFileChunk { number: 11, offset: 12, data: vec![13] })),
        message("ack", Message::Ack(DirectFileAck { number: 14, offset: 15 })),
        message("end", Message::End(DirectFileEnd { number: 16, outcome, of_sender: true })),
        message("alive", Message::Alive(DirectAlive {})),
        message("goodbye", Message::Goodbye(DirectGoodbye { shown: 17 })),
    ]
}

/// What both sides hash and sign.
pub fn hello() -> Sample {
    let hello = DirectHello {
        version: 1,
        side: DirectSide::Dialer.into(),
        key: key(1),
        nonce: key(2),
        encryption: DirectEncryption::Mls.into(),
        capabilities: 1,
    };
    sample("hello", hello)
}
