//! Files that we send.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use subrosa_wire::proto::direct_message::Message;
use subrosa_wire::proto::{DirectFileAccept, DirectFileChunk, DirectFileEnd, DirectFileOffer, DirectFileStart};
use tokio::task::JoinSet;

use super::{CHUNK, FileOutcome, OPEN, SIZE, WINDOW, Work, finished, hash_of};
use crate::error::Break;
use crate::interactor::{Direction, Event, FileFacts};

/// See the module above.
#[derive(Debug, Default)]
pub struct Outgoing {
    last: u64,
    files: BTreeMap<u64, Sent>,
    /// Ends to tell the peer of.
    ends: Vec<(u64, FileOutcome)>,
}

#[derive(Debug)]
struct Sent {
    path: PathBuf,
    name: String,
    size: u64,
    sha256: [u8; 32],
    state: State,
    /// What the receiver has, for progress.
    acknowledged: u64,
}

#[derive(Debug)]
enum State {
    /// It is being read and hashed.
    Hashing,
    /// The offer is due, or was made (`true`).
    Offered(bool),
    /// The receiver's prefix is being compared.
    Comparing,
    /// The start is due at this offset.
    Starting(u64),
    /// Chunks are due from `next` on.
    Sending { file: File, next: u64 },
}

impl Sent {
    fn facts(&self, number: u64) -> FileFacts {
        FileFacts { number, direction: Direction::Sending, name: self.name.clone(), size: self.size }
    }
}

impl Outgoing {
    /// Whether nothing is under way, and nothing is left to say of what was.
    pub fn is_idle(&self) -> bool {
        self.files.is_empty() && self.ends.is_empty()
    }

    /// Begins to read a file that is to be offered.
    ///
    /// # Errors
    /// A sentence: what is wrong with the path.
    pub fn send(&mut self, path: &Path, work: &mut JoinSet<Work>) -> Result<(), String> {
        let shown = path.display();
        if self.files.len() >= OPEN {
            return Err(format!("{OPEN} files are under way already; wait for one of them"));
        }
        let facts = std::fs::metadata(path).map_err(|error| format!("{shown} cannot be read: {error}"))?;
        if !facts.is_file() {
            return Err(format!("{shown} is no file; pack a folder first"));
        }
        if facts.len() > SIZE {
            return Err(format!("{shown} is larger than a terabyte"));
        }
        let name = path.file_name().map_or_else(|| "file".into(), |name| name.to_string_lossy().into_owned());
        self.last += 1;
        let number = self.last;
        let (size, sha256, state) = (facts.len(), [0; 32], State::Hashing);
        self.files.insert(number, Sent { path: path.to_owned(), name, size, sha256, state, acknowledged: 0 });
        let path = path.to_owned();
        work.spawn_blocking(move || {
            let hashed = File::open(path).and_then(|file| hash_of(file, SIZE));
            Work::Hashed(number, hashed.map(|(size, digest)| (size, finished(digest))))
        });
        Ok(())
    }

    /// A file was hashed: it can be offered.
    pub fn hashed(&mut self, number: u64, outcome: io::Result<(u64, [u8; 32])>) -> Option<Event> {
        match outcome {
            Ok((size, sha256)) => {
                let file = self.files.get_mut(&number)?;
                (file.size, file.sha256, file.state) = (size, sha256, State::Offered(false));
                Some(Event::FileOffered(file.facts(number)))
            }
            // Nobody heard of it yet.
            Err(_) => self.forget(number, FileOutcome::Unreadable),
        }
    }

    /// There is a new link: everything that has not ended is offered again.
    pub fn begin(&mut self) {
        for file in self.files.values_mut() {
            if !matches!(file.state, State::Hashing) {
                file.state = State::Offered(false);
            }
        }
    }

    /// The receiver wants a file.
    pub fn accepted(&mut self, accept: &DirectFileAccept, work: &mut JoinSet<Work>) -> Result<(), Break> {
        // One that ended while the answer was on its way.
        let Some(file) = self.files.get_mut(&accept.number) else { return Ok(()) };
        let prefix: [u8; 32] = accept.prefix_sha256.as_slice().try_into().map_err(|_| UNFIT)?;
        if !matches!(file.state, State::Offered(true)) || accept.offset > file.size {
            return Err(UNFIT);
        }
        file.state = State::Comparing;
        let (number, offset, path) = (accept.number, accept.offset, file.path.clone());
        work.spawn_blocking(move || {
            let compared = File::open(path)
                .and_then(|file| hash_of(file, offset))
                .map(|(length, digest)| if length == offset && finished(digest) == prefix { offset } else { 0 });
            Work::Compared(number, compared)
        });
        Ok(())
    }

    /// It is known where to start.
    pub fn compared(&mut self, number: u64, outcome: io::Result<u64>) -> Option<Event> {
        let file = self.files.get_mut(&number)?;
        // A link that ended meanwhile made an offer of it again.
        if !matches!(file.state, State::Comparing) {
            return None;
        }
        match outcome {
            Ok(offset) => {
                file.state = State::Starting(offset);
                None
            }
            Err(_) => self.stop(number, FileOutcome::Unreadable),
        }
    }

    /// The receiver has written so much.
    pub fn acknowledged(&mut self, number: u64, offset: u64) -> Result<Option<Event>, Break> {
        let Some(file) = self.files.get_mut(&number) else { return Ok(None) };
        match &file.state {
            State::Sending { next, .. } if offset <= *next => {}
            _ => return Err(UNFIT),
        }
        if offset < file.acknowledged {
            return Ok(None);
        }
        let percent = |done: u64| done.saturating_mul(100).checked_div(file.size);
        let news = percent(offset) != percent(file.acknowledged);
        file.acknowledged = offset;
        Ok(news.then(|| Event::FileProgress { file: file.facts(number), done: offset }))
    }

    /// The receiver ended it.
    pub fn ended(&mut self, number: u64, outcome: FileOutcome) -> Option<Event> {
        self.forget(number, outcome)
    }

    /// We end it, and the peer is told.
    pub fn stop(&mut self, number: u64, outcome: FileOutcome) -> Option<Event> {
        let event = self.forget(number, outcome)?;
        self.ends.push((number, outcome));
        Some(event)
    }

    /// Numbers of the files under way.
    pub fn numbers(&self) -> Vec<u64> {
        self.files.keys().copied().collect()
    }

    fn forget(&mut self, number: u64, outcome: FileOutcome) -> Option<Event> {
        let file = self.files.remove(&number)?;
        Some(Event::FileEnded { file: file.facts(number), outcome, path: None })
    }

    /// Whether [`Self::poll`] has something.
    pub fn is_due(&self) -> bool {
        !self.ends.is_empty() || self.files.values().any(Sent::is_due)
    }

    /// The next message to send; a file that cannot be read any more ends, with an event.
    pub fn poll(&mut self) -> (Option<Message>, Option<Event>) {
        if let Some((number, outcome)) = self.ends.pop() {
            let outcome = outcome.to_proto().into();
            return (Some(Message::End(DirectFileEnd { number, outcome, of_sender: true })), None);
        }
        let Some((&number, file)) = self.files.iter_mut().find(|(_, file)| file.is_due()) else { return (None, None) };
        match file.poll(number) {
            Ok(message) => (Some(message), None),
            Err(_) => (None, self.stop(number, FileOutcome::Unreadable)),
        }
    }
}

const UNFIT: Break = Break::Protocol("an answer that fits no offered file");

impl Sent {
    fn is_due(&self) -> bool {
        match &self.state {
            State::Hashing | State::Comparing => false,
            State::Offered(made) => !made,
            State::Starting(_) => true,
            State::Sending { next, .. } => *next < self.size && *next - self.acknowledged < WINDOW,
        }
    }

    fn poll(&mut self, number: u64) -> io::Result<Message> {
        match &mut self.state {
            State::Starting(offset) => {
                let offset = *offset;
                let mut file = File::open(&self.path)?;
                file.seek(SeekFrom::Start(offset))?;
                self.acknowledged = offset;
                self.state = State::Sending { file, next: offset };
                Ok(Message::Start(DirectFileStart { number, offset }))
            }
            State::Sending { file, next } => {
                let room = usize::try_from(self.size - *next).unwrap_or(CHUNK).min(CHUNK);
                let mut data = vec![0; room];
                file.read_exact(&mut data)?;
                let offset = *next;
                *next += room as u64;
                Ok(Message::Chunk(DirectFileChunk { number, offset, data }))
            }
            state => {
                *state = State::Offered(true);
                let (name, sha256) = (self.name.clone(), self.sha256.to_vec());
                Ok(Message::Offer(DirectFileOffer { number, name, size: self.size, sha256 }))
            }
        }
    }
}
