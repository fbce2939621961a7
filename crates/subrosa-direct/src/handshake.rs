//! The first seconds of a link: commitment, hellos, key agreement, proofs (`direct.proto`, steps 1 to 6).
//!
//! Invariant: when [`shake`] gives [`Agreed`], the peer has proved the key of its hello over everything that both sides
//! said and over this very link, and the encryptor has keys that nobody else has (if it protects at all). Nothing of what
//! a person wrote is sent before.

use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use subrosa_crypto::VerifyingKey;
use subrosa_crypto::encryptor::{AGREEMENT, Encryptor, EncryptorError, Parties, Side, Step};
use subrosa_net::direct::{Link, LinkEnd};
use subrosa_wire::encode;
use subrosa_wire::proto::direct_frame::Frame;
use subrosa_wire::proto::{DirectFrame, DirectProof, DirectRefusal, DirectRefusalCode};
use tokio::time::timeout;
use tracing::info;

use crate::error::{Break, ChatError};
use crate::hello::{self, BadHello, Finished, Hello, Transcript};
use crate::pairing::Pairing;

/// Messages of one key agreement, at most.
const STEPS: usize = 8;
/// How long the other side may take to hear of a refusal.
const LINGER: Duration = Duration::from_secs(1);

/// What a handshake gives.
#[derive(Debug)]
pub struct Agreed {
    pub peer: VerifyingKey,
    /// SHA-256 of both hellos.
    pub context: [u8; 32],
    /// The dialer proved that it has our ticket.
    pub has_ticket: bool,
    /// The peer understands files.
    pub takes_files: bool,
}

/// Does all of it. Whoever is turned away is told why, and the link is ended. A dialer takes no longer than `first` for each
/// of its first two frames. `said_hello` is set before our hello goes out, also if the future is dropped later.
pub async fn shake(
    link: &mut Link,
    encryptor: &mut dyn Encryptor,
    pairing: &Pairing,
    side: Side,
    first: Duration,
    said_hello: &mut bool,
) -> Result<Agreed, ChatError> {
    let agreed = Shake { link, encryptor, pairing, side, first, said_hello }.run().await;
    if let Err(error) = &agreed
        // Who says nothing is not waited for once more.
        && !matches!(error, ChatError::Handshake(Break::Silent))
    {
        if let Some(code) = refusal(error) {
            // A peer that is gone does not need to know.
            let _gone = timeout(LINGER, send(link, Frame::Refusal(DirectRefusal { code: code.into() }))).await;
        }
        linger(link).await;
    }
    agreed
}

/// What the other side is told; nothing if it ended the link or was told before.
const fn refusal(error: &ChatError) -> Option<DirectRefusalCode> {
    match error {
        ChatError::WrongKey | ChatError::NotProved => Some(DirectRefusalCode::WrongKey),
        ChatError::Refused(code) => Some(*code),
        ChatError::Handshake(Break::Protocol(_) | Break::TooLarge) => Some(DirectRefusalCode::Protocol),
        _ => None,
    }
}

/// Ends our half and waits until the other side did, so that what we said last is not lost with a reset.
pub async fn linger(link: &mut Link) {
    link.outbound.finish().await;
    let _impatient = timeout(LINGER, async { while link.inbound.next().await.is_ok() {} }).await;
}

async fn send(link: &mut Link, frame: Frame) -> Result<(), LinkEnd> {
    link.outbound.send(encode(&DirectFrame { frame: Some(frame) })).await
}

fn broken(end: LinkEnd) -> ChatError {
    ChatError::Handshake(match end {
        LinkEnd::Closed => Break::Lost("the other side ended it".to_owned()),
        end => end.into(),
    })
}

const UNEXPECTED: ChatError = ChatError::Handshake(Break::Protocol("a frame that is not expected here"));

struct Shake<'a> {
    link: &'a mut Link,
    encryptor: &'a mut dyn Encryptor,
    pairing: &'a Pairing,
    side: Side,
    first: Duration,
    said_hello: &'a mut bool,
}

impl Shake<'_> {
    async fn run(mut self) -> Result<Agreed, ChatError> {
        let ours = hello::say(self.side, &self.pairing.key, self.encryptor.kind());
        let theirs = self.hellos(&ours).await?;
        let peer = self.check(&theirs)?;
        let context = match self.side {
            Side::Dialer => hello::context(&ours, &theirs),
            Side::Listener => hello::context(&theirs, &ours),
        };
        info!("both sides said hello");
        let transcript = Transcript::new(&context, &self.link.binding);
        if peer.encryption != Some(self.encryptor.kind()) {
            return Err(self.disagree(&peer, transcript.finish()).await);
        }
        let transcript = self.agree_on_keys(&peer, &context, transcript).await?;
        let has_ticket = self.prove(&peer, transcript).await?;
        info!("both sides proved their keys on this link");
        Ok(Agreed { peer: peer.key, context, has_ticket, takes_files: peer.capabilities & hello::FILES != 0 })
    }

    async fn send(&mut self, frame: Frame) -> Result<(), ChatError> {
        send(self.link, frame).await.map_err(broken)
    }

    async fn next(&mut self) -> Result<Frame, ChatError> {
        let bytes: Bytes = self.link.inbound.next().await.map_err(broken)?;
        if bytes.len() > AGREEMENT + 64 {
            return Err(ChatError::Handshake(Break::TooLarge));
        }
        let frame = DirectFrame::decode(bytes).ok().and_then(|frame| frame.frame);
        match frame.ok_or(ChatError::Handshake(Break::Protocol("bytes that are no frame")))? {
            Frame::Refusal(refusal) => Err(match refusal.code() {
                DirectRefusalCode::EncryptionMismatch => self.mismatch(None, false),
                code => ChatError::Refused(code),
            }),
            frame => Ok(frame),
        }
    }

    /// One of a dialer's first frames.
    async fn soon(&mut self) -> Result<Frame, ChatError> {
        timeout(self.first, self.next()).await.unwrap_or(Err(ChatError::Handshake(Break::Silent)))
    }

    fn mismatch(&self, theirs: Option<subrosa_wire::Encryption>, proved: bool) -> ChatError {
        ChatError::EncryptionMismatch { ours: self.encryptor.kind(), theirs, proved }
    }

    /// Steps 1 to 3; the other side's hello.
    async fn hellos(&mut self, ours: &[u8]) -> Result<Vec<u8>, ChatError> {
        match self.side {
            Side::Dialer => {
                self.send(Frame::Commitment(hello::commitment(ours).to_vec())).await?;
                let Frame::Hello(theirs) = self.next().await? else { return Err(UNEXPECTED) };
                self.send(Frame::Hello(ours.to_vec())).await?;
                Ok(theirs)
            }
            Side::Listener => {
                let Frame::Commitment(commitment) = self.soon().await? else { return Err(UNEXPECTED) };
                *self.said_hello = true;
                self.send(Frame::Hello(ours.to_vec())).await?;
                let Frame::Hello(theirs) = self.soon().await? else { return Err(UNEXPECTED) };
                if commitment != hello::commitment(&theirs) {
                    return Err(ChatError::NotProved);
                }
                Ok(theirs)
            }
        }
    }

    /// Whether this is somebody to go on with. The key is a claim until the proofs.
    fn check(&self, theirs: &[u8]) -> Result<Hello, ChatError> {
        let peer = hello::read(theirs, self.side.other()).map_err(|error| match error {
            BadHello::Version => ChatError::Refused(DirectRefusalCode::Version),
            BadHello::Malformed => ChatError::Handshake(Break::Protocol("a hello that is none")),
        })?;
        match (self.pairing.expected, self.side) {
            (Some(expected), Side::Dialer) if expected != peer.key => Err(ChatError::WrongKey),
            (Some(expected), Side::Listener) if expected != peer.key => {
                Err(ChatError::Refused(DirectRefusalCode::Busy))
            }
            _ if peer.key == self.pairing.key.public() => Err(ChatError::NotProved),
            _ => Ok(peer),
        }
    }

    /// Step 4.
    async fn agree_on_keys(
        &mut self,
        peer: &Hello,
        context: &[u8; 32],
        mut transcript: Transcript,
    ) -> Result<Finished, ChatError> {
        let parties = Parties { side: self.side, own: &self.pairing.key, peer: &peer.key, context };
        let mut step = self.encryptor.begin(parties)?;
        for _ in 0..STEPS {
            let done = matches!(step, Step::Done | Step::SendAndDone(_));
            if let Step::Send(message) | Step::SendAndDone(message) = step {
                info!("key agreement ({}): {} bytes sent", self.encryptor.kind(), message.len());
                transcript.agreement(self.side, &message);
                self.send(Frame::Agreement(message)).await?;
            }
            if done {
                info!("key agreement ({}): done", self.encryptor.kind());
                return Ok(transcript.finish());
            }
            let Frame::Agreement(message) = self.next().await? else { return Err(UNEXPECTED) };
            info!("key agreement ({}): {} bytes received", self.encryptor.kind(), message.len());
            transcript.agreement(self.side.other(), &message);
            step = self.encryptor.step(&message).map_err(|error| match error {
                EncryptorError::Internal(_) => ChatError::Encryptor(error),
                _ => ChatError::NotProved,
            })?;
        }
        Err(UNEXPECTED)
    }

    fn own_proof(&self, transcript: Finished) -> Frame {
        let signature = transcript.sign(self.side, &self.pairing.key);
        let ticket = match (&self.pairing.secret, self.side) {
            (Some(secret), Side::Dialer) => transcript.ticket(&secret.0),
            _ => Vec::new(),
        };
        Frame::Proof(DirectProof { signature, ticket })
    }

    /// Checks the peer's proof; whether it has our ticket.
    fn believe(&self, peer: &Hello, transcript: Finished, proof: &DirectProof) -> Result<bool, ChatError> {
        transcript.verify(self.side.other(), &peer.key, &proof.signature).map_err(|_| ChatError::NotProved)?;
        if self.side == Side::Dialer {
            return Ok(false);
        }
        let refused = Err(ChatError::Refused(DirectRefusalCode::Ticket));
        match &self.pairing.secret {
            Some(secret) if transcript.has_ticket(&secret.0, &proof.ticket) => Ok(true),
            _ if !proof.ticket.is_empty() || self.pairing.ticket_only => refused,
            _ => Ok(false),
        }
    }

    /// Steps 5 and 6.
    async fn prove(&mut self, peer: &Hello, transcript: Finished) -> Result<bool, ChatError> {
        if self.side == Side::Dialer {
            let proof = self.own_proof(transcript);
            self.send(proof).await?;
        }
        let Frame::Proof(proof) = self.next().await? else { return Err(UNEXPECTED) };
        let has_ticket = self.believe(peer, transcript, &proof)?;
        if self.side == Side::Listener {
            let proof = self.own_proof(transcript);
            self.send(proof).await?;
        }
        Ok(has_ticket)
    }

    /// The hellos insist on different encryptions: both sides say so, and prove that they said it.
    async fn disagree(&mut self, peer: &Hello, transcript: Finished) -> ChatError {
        let code = DirectRefusalCode::EncryptionMismatch.into();
        let proof = self.own_proof(transcript);
        if self.send(Frame::Refusal(DirectRefusal { code })).await.is_err() || self.send(proof).await.is_err() {
            return self.mismatch(peer.encryption, false);
        }
        for _ in 0..STEPS {
            match timeout(LINGER, self.next()).await {
                Ok(Ok(Frame::Proof(proof))) => {
                    return match self.believe(peer, transcript, &proof) {
                        Ok(_) => self.mismatch(peer.encryption, true),
                        Err(ChatError::Refused(code)) => ChatError::Refused(code),
                        Err(_) => self.mismatch(peer.encryption, false),
                    };
                }
                Ok(Ok(_) | Err(ChatError::EncryptionMismatch { .. })) => {}
                Ok(Err(_)) | Err(_) => break,
            }
        }
        self.mismatch(peer.encryption, false)
    }
}
