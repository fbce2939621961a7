//! Lines of bounded length.

use tokio::io::{AsyncBufRead, AsyncBufReadExt, BufReader};
use zeroize::{Zeroize, Zeroizing};

use super::LINE;

/// Why there is no further line.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The peer sends a line over the limit.
    #[error("a line is too long")]
    TooLong,
    /// The connection failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Reads lines of bounded length. Lines may carry passwords and are wiped when dropped.
pub struct Lines<R> {
    reader: R,
    line: Zeroizing<Vec<u8>>,
    most: usize,
}

impl<R: tokio::io::AsyncRead + Unpin> Lines<BufReader<R>> {
    /// Lines of a reader, at most [`LINE`] bytes each.
    pub fn new(reader: R) -> Self {
        Self::at_most(reader, LINE)
    }

    /// Lines of a reader, at most `most` bytes each.
    pub fn at_most(reader: R, most: usize) -> Self {
        Self { reader: BufReader::new(reader), line: Zeroizing::new(Vec::new()), most }
    }
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    /// The next line, without its end; `None` at the end of the stream (an unfinished line is not one).
    ///
    /// # Cancel safety
    /// What was read stays for the next call.
    pub async fn next(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, LineError> {
        loop {
            let chunk = self.reader.fill_buf().await?;
            if chunk.is_empty() {
                return Ok(None);
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let taken = &chunk[..end.unwrap_or(chunk.len())];
            if self.line.len() + taken.len() > self.most {
                return Err(LineError::TooLong);
            }
            append(&mut self.line, taken);
            let used = end.map_or(taken.len(), |end| end + 1);
            self.reader.consume(used);
            if end.is_some() {
                return Ok(Some(std::mem::take(&mut self.line)));
            }
        }
    }
}

/// Appends without leaving a copy behind when the buffer has to move.
fn append(line: &mut Zeroizing<Vec<u8>>, bytes: &[u8]) {
    if line.capacity() < line.len() + bytes.len() {
        let mut roomier = Vec::with_capacity((line.len() + bytes.len()).next_power_of_two().max(256));
        roomier.extend_from_slice(line);
        line.zeroize();
        **line = roomier;
    }
    line.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_come_one_by_one_and_an_unfinished_one_is_none() {
        let mut lines = Lines::new(&b"one\n\ntwo\nunfinished"[..]);
        for expected in ["one", "", "two"] {
            assert_eq!(&**lines.next().await.unwrap().unwrap(), expected.as_bytes());
        }
        assert!(lines.next().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_line_without_end_takes_no_more_memory_than_the_limit() {
        let exact = [vec![b'x'; LINE], b"\n".to_vec()].concat();
        assert_eq!(Lines::new(&exact[..]).next().await.unwrap().unwrap().len(), LINE);
        let endless = vec![b'x'; LINE + 1];
        assert!(matches!(Lines::new(&endless[..]).next().await, Err(LineError::TooLong)));
    }
}
