//! Texts of a chat, over all of its links: each is delivered once, in order, or known not to be.
//!
//! Numbers count from 1 for each side. What was typed waits here until the peer acknowledged it; when a link breaks,
//! everything that waits goes over the next one again. The receiver shows the number after the last one it showed,
//! acknowledges a lower one once more, and takes a higher one for what it is: a broken protocol.

use std::collections::VecDeque;

use subrosa_types::limits;
use subrosa_wire::proto::DirectText;

use crate::error::Break;

/// Texts that may wait.
const KEPT: usize = 1000;
/// Bytes of texts that may wait.
const KEPT_BYTES: usize = 4 * 1024 * 1024;
/// Texts that may be under way.
const WINDOW: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub struct Texts {
    last: u64,
    /// The highest number that went over any link.
    sent: u64,
    waiting: VecDeque<DirectText>,
    bytes: usize,
    /// How many of those waiting went over the present link.
    under_way: usize,
    shown: u64,
    acknowledgement_due: bool,
}

impl Texts {
    /// Whether one more may wait.
    pub fn has_room(&self) -> bool {
        self.waiting.len() < KEPT && self.bytes < KEPT_BYTES
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The last text of the peer that was shown.
    pub const fn shown(&self) -> u64 {
        self.shown
    }

    /// Takes in what was typed; its number.
    pub fn push(&mut self, text: String, sent_at: i64) -> u64 {
        self.last += 1;
        self.bytes += text.len();
        self.waiting.push_back(DirectText { number: self.last, text, sent_at });
        self.last
    }

    /// There is a new link: all that waits goes over it.
    pub fn begin(&mut self) {
        self.under_way = 0;
        self.acknowledgement_due = self.shown > 0;
    }

    /// Whether [`Self::poll`] has something.
    pub fn is_due(&self) -> bool {
        self.under_way < self.waiting.len().min(WINDOW)
    }

    /// The next text to send.
    pub fn poll(&mut self) -> Option<DirectText> {
        if !self.is_due() {
            return None;
        }
        let text = self.waiting.get(self.under_way)?.clone();
        self.under_way += 1;
        self.sent = self.sent.max(text.number);
        Some(text)
    }

    /// Whether an acknowledgement is due.
    pub const fn owes(&self) -> bool {
        self.acknowledgement_due
    }

    /// The acknowledgement that is due.
    pub fn poll_acknowledgement(&mut self) -> Option<u64> {
        std::mem::take(&mut self.acknowledgement_due).then_some(self.shown)
    }

    /// The peer has shown everything up to `number`; the numbers that are delivered now.
    pub fn acknowledged(&mut self, number: u64) -> Result<Vec<u64>, Break> {
        if number > self.sent {
            return Err(Break::Protocol("a text was acknowledged that was never sent"));
        }
        let mut delivered = Vec::new();
        while self.waiting.front().is_some_and(|text| text.number <= number) {
            let Some(text) = self.waiting.pop_front() else { break };
            self.bytes -= text.text.len();
            self.under_way = self.under_way.saturating_sub(1);
            delivered.push(text.number);
        }
        Ok(delivered)
    }

    /// A text came; it, if it is to be shown.
    pub fn take(&mut self, text: DirectText) -> Result<Option<DirectText>, Break> {
        if text.text.len() > limits::TEXT {
            return Err(Break::TooLarge);
        }
        if text.number > self.shown + 1 || text.number == 0 {
            return Err(Break::Protocol("a text is missing"));
        }
        self.acknowledgement_due = true;
        if text.number <= self.shown {
            return Ok(None);
        }
        self.shown = text.number;
        Ok(Some(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(number: u64, text: &str) -> DirectText {
        DirectText { number, text: text.to_owned(), sent_at: 0 }
    }

    #[test]
    fn what_was_not_acknowledged_goes_over_the_next_link_again_and_is_shown_once() {
        let (mut sender, mut receiver) = (Texts::default(), Texts::default());
        for word in ["one", "two", "three"] {
            sender.push(word.to_owned(), 0);
        }
        let over_the_first: Vec<_> = std::iter::from_fn(|| sender.poll()).collect();
        for text in &over_the_first[..2] {
            assert!(receiver.take(text.clone()).unwrap().is_some());
        }
        // The acknowledgement is lost with the link.
        receiver.poll_acknowledgement();
        sender.begin();
        receiver.begin();
        let shown: Vec<_> =
            std::iter::from_fn(|| sender.poll()).filter_map(|text| receiver.take(text).unwrap()).collect();
        assert_eq!(shown, [text(3, "three")]);
        assert_eq!(sender.acknowledged(receiver.poll_acknowledgement().unwrap()), Ok(vec![1, 2, 3]));
        assert_eq!((sender.waiting(), receiver.poll_acknowledgement()), (0, None));
    }

    #[test]
    fn a_gap_an_acknowledgement_of_nothing_and_an_oversized_text_are_named() {
        let mut texts = Texts::default();
        assert!(matches!(texts.take(text(2, "two")), Err(Break::Protocol(_))));
        assert!(matches!(texts.take(text(0, "none")), Err(Break::Protocol(_))));
        assert_eq!(texts.take(text(1, &"x".repeat(limits::TEXT + 1))), Err(Break::TooLarge));
        assert!(texts.acknowledged(1).is_err());
        texts.push("one".to_owned(), 0);
        assert!(texts.acknowledged(1).is_err(), "it waits, and was not sent yet");
        assert_eq!(texts.acknowledged(0), Ok(vec![]));
        texts.poll();
        assert_eq!(texts.acknowledged(1), Ok(vec![1]));
        assert_eq!(texts.acknowledged(1), Ok(vec![]), "once more");
    }

    #[test]
    fn what_waits_and_what_is_under_way_are_bounded() {
        let mut texts = Texts::default();
        while texts.has_room() {
            texts.push("x".to_owned(), 0);
        }
        assert_eq!(texts.waiting(), KEPT);
        assert_eq!(std::iter::from_fn(|| texts.poll()).count(), WINDOW);
        let mut texts = Texts::default();
        while texts.has_room() {
            texts.push("x".repeat(limits::TEXT), 0);
        }
        assert_eq!(texts.waiting() * limits::TEXT, KEPT_BYTES);
    }
}
