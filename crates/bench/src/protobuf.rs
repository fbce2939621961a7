//! Protobuf, field by field, without making objects of it.

use anyhow::{Context as _, Result, bail};

/// A field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field<'a> {
    /// Wire type 0.
    Number(u64),
    /// Wire type 2: bytes, text or a message.
    Bytes(&'a [u8]),
}

/// Takes the next field, its number and its value, off `message`; `None` at the end.
///
/// # Errors
/// When it does not decode, or has a field of a type that our schema does not use.
pub fn next_field<'a>(message: &mut &'a [u8]) -> Result<Option<(u64, Field<'a>)>> {
    if message.is_empty() {
        return Ok(None);
    }
    let tag = varint(message)?;
    let field = match tag & 7 {
        0 => Field::Number(varint(message)?),
        2 => {
            let length = usize::try_from(varint(message)?)?;
            let (bytes, rest) = message.split_at_checked(length).context("a field that ends too early")?;
            *message = rest;
            Field::Bytes(bytes)
        }
        other => bail!("a field of wire type {other}"),
    };
    Ok(Some((tag >> 3, field)))
}

fn varint(bytes: &mut &[u8]) -> Result<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().context("a number that ends too early")?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    bail!("a number of more than 64 bits")
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use subrosa_wire::proto::Accepted;

    use super::*;

    #[test]
    fn fields_are_those_that_prost_wrote() {
        let bytes = Accepted { id: 300, sequence: u64::MAX, at: 1 }.encode_to_vec();
        let mut rest = &bytes[..];
        let mut fields = Vec::new();
        while let Some(field) = next_field(&mut rest).unwrap() {
            fields.push(field);
        }
        assert_eq!(fields, [(1, Field::Number(300)), (2, Field::Number(u64::MAX)), (3, Field::Number(1))]);
    }

    #[test]
    fn a_field_that_is_cut_is_an_error() {
        assert!(next_field(&mut &[0x0a, 5, 1][..]).is_err());
        assert!(next_field(&mut &[0x80][..]).is_err());
    }
}
