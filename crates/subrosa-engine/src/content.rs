//! What stands inside the ciphertext: the IETF MIMI content format (draft-ietf-mimi-content, CBOR).
//!
//! ```text
//! MimiContent = [ salt: bstr .size 16, replaces: null, topicId: bstr, expires: null, inReplyTo: null,
//!                 extensions: { * tstr => any }, nestedPart ]
//! nestedPart  = [ disposition: uint, language: tstr, cardinality: 0 (null) ]
//!             | [ disposition: uint, language: tstr, cardinality: 1 (single), contentType: tstr, content: bstr ]
//! ```
//!
//! The salt is the message's id: random, made by the sender, and what the sender also uses as idempotency key. What Subrosa
//! says besides the draft stands in `extensions` under names that begin with `subrosa.`. Fields that this version does not
//! use (replaces, replies, expiry, multi-parts) are read past: the message is shown as far as it is understood.

use ciborium::Value;
use subrosa_types::{MessageId, Timestamp, limits};

/// Version byte in front of every content that is stored or encrypted.
pub const VERSION: u8 = 1;

const SENT_AT: &str = "subrosa.sent-at";
const TITLE: &str = "subrosa.title";
const JOINED: &str = "subrosa.joined";
const ASKS_DELIVERED: &str = "subrosa.asks-delivered";
const DELIVERED: &str = "subrosa.delivered";
const DIRECT: &str = "subrosa.direct";
const RENDER: u64 = 1;
const SESSION: u64 = 7;

/// A decoded content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The message's id.
    pub id: MessageId,
    /// When the sender says it was sent.
    pub sent_at: Timestamp,
    /// A text for people; `None` for a message that only tells the clients something.
    pub text: Option<String>,
    /// An encoded signed title record.
    pub title: Option<Vec<u8>>,
    /// The sender accepted the invitation.
    pub joined: bool,
    /// The sender wants to know when it has arrived.
    pub asks_delivered: bool,
    /// This message of the other side has arrived.
    pub delivered: Option<MessageId>,
    /// Encoded signals about direct links.
    pub direct: Option<Vec<u8>>,
}

/// Bytes that are no content. Whoever encrypted them is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// A version that this program does not know.
    #[error("the message is of a newer version")]
    Version,
    /// Not the shape of the draft, or over a limit.
    #[error("the message's content is malformed")]
    Malformed,
}

impl Content {
    /// A text message.
    pub fn text(id: MessageId, sent_at: Timestamp, text: String) -> Self {
        Self { text: Some(text), ..Self::control(id, sent_at) }
    }

    /// A message that people do not see.
    pub const fn control(id: MessageId, sent_at: Timestamp) -> Self {
        Self {
            id,
            sent_at,
            text: None,
            title: None,
            joined: false,
            asks_delivered: false,
            delivered: None,
            direct: None,
        }
    }

    /// The bytes, version byte in front.
    pub fn encode(&self) -> Vec<u8> {
        let mut extensions = vec![(SENT_AT.into(), Value::from(self.sent_at.0))];
        if let Some(title) = &self.title {
            extensions.push((TITLE.into(), Value::Bytes(title.clone())));
        }
        if self.joined {
            extensions.push((JOINED.into(), Value::Bool(true)));
        }
        if self.asks_delivered {
            extensions.push((ASKS_DELIVERED.into(), Value::Bool(true)));
        }
        if let Some(delivered) = self.delivered {
            extensions.push((DELIVERED.into(), Value::Bytes(delivered.to_vec())));
        }
        if let Some(direct) = &self.direct {
            extensions.push((DIRECT.into(), Value::Bytes(direct.clone())));
        }
        let part = self.text.as_ref().map_or_else(
            || vec![Value::from(SESSION), "".into(), Value::from(0_u8)],
            |text| {
                let body = Value::Bytes(text.as_bytes().to_vec());
                vec![Value::from(RENDER), "".into(), Value::from(1_u8), "text/plain;charset=utf-8".into(), body]
            },
        );
        let content = Value::Array(vec![
            Value::Bytes(self.id.to_vec()),
            Value::Null,
            Value::Bytes(Vec::new()),
            Value::Null,
            Value::Null,
            Value::Map(extensions),
            Value::Array(part),
        ]);
        let mut bytes = vec![VERSION];
        // Writing to a vector cannot fail, and a value tree always serialises.
        let _infallible = ciborium::into_writer(&content, &mut bytes);
        bytes
    }

    /// Reads the bytes.
    ///
    /// # Errors
    /// See [`ContentError`]; a text over [`limits::TEXT`] bytes is malformed.
    pub fn decode(bytes: &[u8]) -> Result<Self, ContentError> {
        let (version, body) = bytes.split_first().ok_or(ContentError::Malformed)?;
        if *version != VERSION {
            return Err(ContentError::Version);
        }
        // ciborium bounds its recursion at 256 by default; 16 is what this format needs.
        let value: Value =
            ciborium::de::from_reader_with_recursion_limit(body, 16).map_err(|_| ContentError::Malformed)?;
        let fields: [Value; 7] =
            value.into_array().map_err(|_| ContentError::Malformed)?.try_into().map_err(|_| ContentError::Malformed)?;
        let [salt, _replaces, _topic, _expires, _in_reply_to, extensions, part] = fields;
        let salt = salt.into_bytes().map_err(|_| ContentError::Malformed)?;
        let id = MessageId::from_slice(&salt).map_err(|_| ContentError::Malformed)?;
        let mut content = Self::control(id, Timestamp(0));
        for (name, value) in extensions.into_map().map_err(|_| ContentError::Malformed)? {
            match name.as_text() {
                Some(SENT_AT) => {
                    let at = value.as_integer().and_then(|at| i64::try_from(at).ok());
                    content.sent_at = Timestamp(at.ok_or(ContentError::Malformed)?);
                }
                Some(TITLE) => content.title = Some(value.into_bytes().map_err(|_| ContentError::Malformed)?),
                Some(JOINED) => content.joined = value.as_bool().ok_or(ContentError::Malformed)?,
                Some(ASKS_DELIVERED) => content.asks_delivered = value.as_bool().ok_or(ContentError::Malformed)?,
                Some(DELIVERED) => {
                    let id = value.into_bytes().map_err(|_| ContentError::Malformed)?;
                    content.delivered = Some(MessageId::from_slice(&id).map_err(|_| ContentError::Malformed)?);
                }
                Some(DIRECT) => content.direct = Some(value.into_bytes().map_err(|_| ContentError::Malformed)?),
                _ => {}
            }
        }
        content.text = text_of(part)?;
        Ok(content)
    }
}

fn text_of(part: Value) -> Result<Option<String>, ContentError> {
    let part = part.into_array().map_err(|_| ContentError::Malformed)?;
    let [_disposition, _language, cardinality, rest @ ..] = part.as_slice() else {
        return Err(ContentError::Malformed);
    };
    match (cardinality.as_integer().map(i128::from), rest) {
        (Some(0), _) => Ok(None),
        (Some(1), [content_type, body]) => {
            let content_type = content_type.as_text().ok_or(ContentError::Malformed)?;
            let body = body.as_bytes().ok_or(ContentError::Malformed)?;
            if !content_type.starts_with("text/") {
                return Ok(Some(format!("[{content_type}: this version cannot show it]")));
            }
            let text = String::from_utf8(body.clone()).map_err(|_| ContentError::Malformed)?;
            if text.len() > limits::TEXT { Err(ContentError::Malformed) } else { Ok(Some(text)) }
        }
        (Some(2 | 3), _) => Ok(Some("[an attachment: this version cannot show it]".to_owned())),
        _ => Err(ContentError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Content {
        Content {
            title: Some(vec![1, 2, 3]),
            joined: true,
            asks_delivered: true,
            delivered: Some(MessageId::from_bytes([9; 16])),
            direct: Some(vec![4, 5]),
            ..Content::text(MessageId::from_bytes([7; 16]), Timestamp(1_700_000_000_000), "سلام".into())
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        assert_eq!(Content::decode(&sample().encode()), Ok(sample()));
        let control = Content::control(MessageId::from_bytes([1; 16]), Timestamp(5));
        assert_eq!(Content::decode(&control.encode()), Ok(control));
    }

    #[test]
    fn the_bytes_of_a_text_are_these() {
        let content = Content::text(MessageId::from_bytes([0xAA; 16]), Timestamp(1), "hi".into());
        let hex: String = content.encode().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            concat!(
                "01",                                                   // version
                "87",                                                   // array of 7
                "50aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",                   // salt, the message id
                "f640f6f6",                                             // replaces, topicId, expires, inReplyTo
                "a1",                                                   // extensions
                "6f737562726f73612e73656e742d617401",                   // "subrosa.sent-at": 1
                "85",                                                   // nestedPart
                "016001",                                               // render, no language, single part
                "7818746578742f706c61696e3b636861727365743d7574662d38", // "text/plain;charset=utf-8"
                "426869",                                               // "hi"
            )
        );
    }

    #[test]
    fn damaged_content_is_refused_without_panic() {
        let good = sample().encode();
        for length in 0..good.len() {
            assert!(Content::decode(&good[..length]).is_err());
        }
        for position in 0..good.len() {
            let mut bad = good.clone();
            bad[position] ^= 0x81;
            let _may_be_either = Content::decode(&bad);
        }
        assert_eq!(Content::decode(&[9, 0x80]), Err(ContentError::Version));
        assert_eq!(
            Content::decode(&[VERSION, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            Err(ContentError::Malformed)
        );
    }

    #[test]
    fn a_text_over_the_limit_is_refused() {
        let long = Content::text(MessageId::from_bytes([1; 16]), Timestamp(0), "x".repeat(limits::TEXT + 1));
        assert_eq!(Content::decode(&long.encode()), Err(ContentError::Malformed));
    }
}
