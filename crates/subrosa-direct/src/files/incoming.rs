//! Files that come to us. Every number, offset and name here was chosen by the other side.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context as Digest, SHA256};
use data_encoding::HEXLOWER;
use subrosa_wire::proto::direct_message::Message;
use subrosa_wire::proto::{
    DirectFileAccept, DirectFileAck, DirectFileChunk, DirectFileEnd, DirectFileOffer, DirectFileStart,
};
use tokio::task::JoinSet;

use super::{CHUNK, FileOutcome, OPEN, SIZE, Work, finished, hash_of, name};
use crate::error::Break;
use crate::interactor::{Direction, Event, FileFacts};

/// Ended files of which the end is told again when they are offered again.
const REMEMBERED: usize = 64;
/// Answers that may be due, besides acknowledgements.
const DUE: usize = 4 * OPEN;
/// Names that are tried when one is taken.
const NAMES: u32 = 1000;

/// See the module above.
#[derive(Debug)]
pub struct Incoming {
    folder: PathBuf,
    /// Accept what is offered without asking.
    accepts: bool,
    highest: u64,
    files: BTreeMap<u64, Received>,
    ended: BTreeMap<u64, FileOutcome>,
    due: Vec<Message>,
}

#[derive(Debug)]
struct Received {
    name: String,
    size: u64,
    sha256: [u8; 32],
    state: State,
}

#[derive(Debug)]
enum State {
    /// The person has to answer.
    Asked,
    /// What there is of it is being hashed.
    Preparing,
    /// The sender has to start.
    Accepted(Part),
    /// Chunks come; whether an acknowledgement is due.
    Receiving(Part, bool),
    /// It is being moved to its place.
    Placing,
}

/// What there is of a file.
pub struct Part {
    path: PathBuf,
    file: File,
    written: u64,
    digest: Digest,
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Part").field("written", &self.written).finish_non_exhaustive()
    }
}

impl Part {
    /// Opens or makes the file, for us alone, and hashes what is there. A link is not followed, and nothing but a file is
    /// written to: who else can write to the folder must not choose where the content goes.
    fn open(path: PathBuf, size: u64) -> io::Result<Self> {
        let other = || io::Error::other("something that is no file has the name");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
            options.mode(0o600).custom_flags(flags.bits().cast_signed());
        }
        #[cfg(not(unix))]
        if std::fs::symlink_metadata(&path).is_ok_and(|facts| !facts.is_file()) {
            return Err(other());
        }
        let mut file = options.open(&path)?;
        if !file.metadata()?.is_file() {
            return Err(other());
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(io::Error::other("another program receives the same file")),
            // A file system without locks.
            Err(TryLockError::Error(_)) => {}
        }
        let (written, digest) = hash_of(&file, size)?;
        file.set_len(written)?;
        file.seek(SeekFrom::Start(written))?;
        Ok(Self { path, file, written, digest })
    }

    fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        (self.written, self.digest) = (0, Digest::new(&SHA256));
        Ok(())
    }

    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        // After an error the file is as long as what was hashed again.
        if let Err(error) = self.file.write_all(data) {
            self.file.set_len(self.written)?;
            return Err(error);
        }
        self.digest.update(data);
        self.written += data.len() as u64;
        Ok(())
    }

    fn accept(&self, number: u64) -> Message {
        let prefix_sha256 = finished(self.digest.clone()).to_vec();
        Message::Accept(DirectFileAccept { number, offset: self.written, prefix_sha256 })
    }

    /// Moves it to a name that is free, once it is on disk.
    fn place(self, folder: &Path, name: &str) -> io::Result<PathBuf> {
        self.file.sync_all()?;
        for attempt in 0..NAMES {
            let place = folder.join(name::numbered(name, attempt));
            match OpenOptions::new().write(true).create_new(true).open(&place) {
                // The name is ours now; what is moved there replaces our own empty file.
                Ok(_) => return std::fs::rename(&self.path, &place).map(|()| place),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("a thousand files have the name"))
    }
}

impl Received {
    fn facts(&self, number: u64) -> FileFacts {
        FileFacts { number, direction: Direction::Receiving, name: self.name.clone(), size: self.size }
    }
}

const UNFIT: Break = Break::Protocol("a part of a file that does not fit");

impl Incoming {
    /// Files go into `folder`; `accepts` says whether nobody is asked.
    pub fn new(folder: PathBuf, accepts: bool) -> Self {
        let (files, ended) = (BTreeMap::new(), BTreeMap::new());
        Self { folder, accepts, highest: 0, files, ended, due: Vec::new() }
    }

    /// Whether nothing accepted is under way.
    pub fn is_idle(&self) -> bool {
        self.due.is_empty() && self.files.values().all(|file| matches!(file.state, State::Asked))
    }

    /// Numbers of those not ended.
    pub fn numbers(&self) -> Vec<u64> {
        self.files.keys().copied().collect()
    }

    /// Numbers of those that nobody has answered.
    pub fn asked(&self) -> Vec<u64> {
        self.files.iter().filter(|(_, file)| matches!(file.state, State::Asked)).map(|(number, _)| *number).collect()
    }

    /// There is a new link: what was due on the old one is not any more; the sender offers again.
    pub fn begin(&mut self) {
        self.due.clear();
    }

    /// The other side offers a file.
    pub fn offered(&mut self, offer: DirectFileOffer, work: &mut JoinSet<Work>) -> Result<Option<Event>, Break> {
        let sha256: [u8; 32] = offer.sha256.as_slice().try_into().map_err(|_| UNFIT)?;
        if offer.name.len() > name::OFFERED || offer.size > SIZE || offer.number == 0 {
            return Err(UNFIT);
        }
        // It does not take what is due and asks for more.
        if self.due.len() > DUE {
            return Err(UNFIT);
        }
        let number = offer.number;
        if let Some(outcome) = self.ended.get(&number) {
            // It did not hear of the end.
            self.due.push(end(number, *outcome));
            return Ok(None);
        }
        if let Some(file) = self.files.get_mut(&number) {
            return if (file.size, file.sha256) == (offer.size, sha256) {
                self.offered_again(number);
                Ok(None)
            } else {
                Err(UNFIT)
            };
        }
        if number <= self.highest {
            return Err(UNFIT);
        }
        self.highest = number;
        if self.files.len() >= OPEN {
            self.due.push(end(number, FileOutcome::Declined));
            return Ok(None);
        }
        let file = Received { name: name::safe(&offer.name), size: offer.size, sha256, state: State::Asked };
        let event = Event::FileOffered(file.facts(number));
        self.files.insert(number, file);
        if self.accepts {
            self.accept(number, work);
        }
        Ok(Some(event))
    }

    fn offered_again(&mut self, number: u64) {
        let Some(file) = self.files.get_mut(&number) else { return };
        if let State::Receiving(..) = file.state
            && let State::Receiving(part, _) = std::mem::replace(&mut file.state, State::Preparing)
        {
            file.state = State::Accepted(part);
        }
        if let State::Accepted(part) = &file.state {
            let accept = part.accept(number);
            self.due.push(accept);
        }
    }

    /// The person wants it. `false`: there is no such offer.
    pub fn accept(&mut self, number: u64, work: &mut JoinSet<Work>) -> bool {
        let Some(file) = self.files.get_mut(&number).filter(|file| matches!(file.state, State::Asked)) else {
            return false;
        };
        file.state = State::Preparing;
        let hash = HEXLOWER.encode(&file.sha256[..8]);
        let (name, size) = (&file.name, file.size);
        let path = self.folder.join(format!("{name}.{hash}.{size}.part"));
        work.spawn_blocking(move || Work::Prepared(number, Part::open(path, size)));
        true
    }

    /// What there is of it is known.
    pub fn prepared(&mut self, number: u64, outcome: io::Result<Part>) -> Vec<Event> {
        let Some(file) = self.files.get_mut(&number) else { return Vec::new() };
        match outcome {
            Ok(part) => {
                self.due.push(part.accept(number));
                file.state = State::Accepted(part);
                Vec::new()
            }
            Err(error) => self.failed(number, FileOutcome::NoRoom, &error),
        }
    }

    /// The sender starts.
    pub fn started(&mut self, start: DirectFileStart, work: &mut JoinSet<Work>) -> Result<Vec<Event>, Break> {
        let Some(file) = self.files.get_mut(&start.number) else { return Ok(Vec::new()) };
        // What does not fit ends the link, and the file goes on from here over the next one.
        let State::Accepted(part) = &mut file.state else { return Err(UNFIT) };
        if start.offset != part.written {
            if start.offset != 0 {
                return Err(UNFIT);
            }
            if let Err(error) = part.restart() {
                return Ok(self.failed(start.number, FileOutcome::NoRoom, &error));
            }
        }
        if let State::Accepted(part) = std::mem::replace(&mut file.state, State::Preparing) {
            file.state = State::Receiving(part, true);
        }
        Ok(self.look(start.number, work))
    }

    /// A piece of a file.
    pub fn chunk(&mut self, chunk: &DirectFileChunk, work: &mut JoinSet<Work>) -> Result<Vec<Event>, Break> {
        // What was stopped while it was on its way.
        let Some(file) = self.files.get_mut(&chunk.number) else { return Ok(Vec::new()) };
        let State::Receiving(part, due) = &mut file.state else { return Err(UNFIT) };
        let end = chunk.offset.checked_add(chunk.data.len() as u64).ok_or(UNFIT)?;
        if chunk.offset != part.written || chunk.data.is_empty() || chunk.data.len() > CHUNK || end > file.size {
            return Err(UNFIT);
        }
        if let Err(error) = part.write(&chunk.data) {
            return Ok(self.failed(chunk.number, FileOutcome::NoRoom, &error));
        }
        *due = true;
        let percent = |done: u64| done.saturating_mul(100).checked_div(file.size);
        let mut events = Vec::new();
        if percent(chunk.offset) != percent(end) {
            events.push(Event::FileProgress { file: file.facts(chunk.number), done: end });
        }
        events.extend(self.look(chunk.number, work));
        Ok(events)
    }

    /// If all of it is there: compares the hash and moves it to its place.
    fn look(&mut self, number: u64, work: &mut JoinSet<Work>) -> Vec<Event> {
        let Some(file) = self.files.get_mut(&number) else { return Vec::new() };
        match std::mem::replace(&mut file.state, State::Placing) {
            State::Receiving(part, _) if part.written == file.size => {
                self.due.push(Message::Ack(DirectFileAck { number, offset: part.written }));
                if finished(part.digest.clone()) != file.sha256 {
                    // Nobody can use it, and a further try must not begin with it.
                    let Part { path, file, .. } = part;
                    drop(file);
                    let removed = std::fs::remove_file(path);
                    let mut events = self.end(number, FileOutcome::Damaged);
                    events.extend(removed.err().map(|error| not_done(&error)));
                    return events;
                }
                let (folder, name) = (self.folder.clone(), file.name.clone());
                work.spawn_blocking(move || Work::Placed(number, part.place(&folder, &name)));
            }
            state => file.state = state,
        }
        Vec::new()
    }

    /// It lies in its place, or does not.
    pub fn placed(&mut self, number: u64, outcome: io::Result<PathBuf>) -> Vec<Event> {
        match outcome {
            Ok(place) => {
                let mut events = self.end(number, FileOutcome::Done);
                if let Some(Event::FileEnded { path, .. }) = events.first_mut() {
                    *path = Some(place);
                }
                events
            }
            Err(error) => self.failed(number, FileOutcome::NoRoom, &error),
        }
    }

    /// The sender ended it. What is being moved to its place already is ours, and appears: that end is told instead.
    pub fn stopped(&mut self, number: u64, outcome: FileOutcome) -> Option<Event> {
        let placing = self.files.get(&number).is_some_and(|file| matches!(file.state, State::Placing));
        if placing { None } else { self.ended(number, outcome) }
    }

    fn ended(&mut self, number: u64, outcome: FileOutcome) -> Option<Event> {
        let file = self.files.remove(&number)?;
        self.remember(number, outcome);
        Some(Event::FileEnded { file: file.facts(number), outcome, path: None })
    }

    /// We end it: the sender is told. What there is of it stays, for another time.
    pub fn end(&mut self, number: u64, outcome: FileOutcome) -> Vec<Event> {
        self.due.push(end(number, outcome));
        self.ended(number, outcome).into_iter().collect()
    }

    fn failed(&mut self, number: u64, outcome: FileOutcome, error: &io::Error) -> Vec<Event> {
        let mut events = vec![not_done(error)];
        events.extend(self.end(number, outcome));
        events
    }

    fn remember(&mut self, number: u64, outcome: FileOutcome) {
        self.ended.insert(number, outcome);
        while self.ended.len() > REMEMBERED {
            self.ended.pop_first();
        }
    }

    /// Whether [`Self::poll`] has something.
    pub fn is_due(&self) -> bool {
        !self.due.is_empty() || self.files.values().any(|file| matches!(file.state, State::Receiving(_, true)))
    }

    /// The next message to send.
    pub fn poll(&mut self) -> Option<Message> {
        if !self.due.is_empty() {
            return Some(self.due.remove(0));
        }
        self.files.iter_mut().find_map(|(number, file)| match &mut file.state {
            State::Receiving(part, due @ true) => {
                *due = false;
                Some(Message::Ack(DirectFileAck { number: *number, offset: part.written }))
            }
            _ => None,
        })
    }
}

fn end(number: u64, outcome: FileOutcome) -> Message {
    Message::End(DirectFileEnd { number, outcome: outcome.to_proto().into(), of_sender: false })
}

fn not_done(error: &io::Error) -> Event {
    Event::NotDone { code: "file_not_written", message: format!("the file cannot be written: {error}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENT: &[u8] = b"what is in the file";

    fn offer() -> DirectFileOffer {
        let sha256 = finished({
            let mut digest = Digest::new(&SHA256);
            digest.update(CONTENT);
            digest
        });
        DirectFileOffer { number: 1, name: "film.mkv".into(), size: CONTENT.len() as u64, sha256: sha256.to_vec() }
    }

    /// An accepted file that the sender may start.
    async fn accepted(folder: &Path) -> (Incoming, JoinSet<Work>) {
        let (mut incoming, mut work) = (Incoming::new(folder.to_owned(), true), JoinSet::new());
        incoming.offered(offer(), &mut work).unwrap();
        let Work::Prepared(1, part) = work.join_next().await.unwrap().unwrap() else { panic!("not prepared") };
        assert_eq!(incoming.prepared(1, part).len(), 0);
        assert!(matches!(incoming.poll(), Some(Message::Accept(_))));
        (incoming, work)
    }

    fn chunk(data: &[u8]) -> DirectFileChunk {
        DirectFileChunk { number: 1, offset: 0, data: data.to_vec() }
    }

    #[tokio::test]
    async fn a_start_that_does_not_fit_loses_nothing_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (mut incoming, mut work) = accepted(folder.path()).await;
        let start = |offset| DirectFileStart { number: 1, offset };
        assert_eq!(incoming.started(start(5), &mut work).unwrap_err(), UNFIT, "a place that was not agreed on");
        incoming.started(start(0), &mut work).unwrap();
        incoming.chunk(&chunk(&CONTENT[..4]), &mut work).unwrap();
        assert_eq!(incoming.started(start(0), &mut work).unwrap_err(), UNFIT, "it has started");
        incoming.begin();
        incoming.offered(offer(), &mut work).unwrap();
        let Some(Message::Accept(accept)) = incoming.poll() else { panic!("not accepted over the next link") };
        assert_eq!(accept.offset, 4);
    }

    #[tokio::test]
    async fn a_file_that_is_being_placed_cannot_be_called_off() {
        let folder = tempfile::tempdir().unwrap();
        let (mut incoming, mut work) = accepted(folder.path()).await;
        incoming.started(DirectFileStart { number: 1, offset: 0 }, &mut work).unwrap();
        incoming.chunk(&chunk(CONTENT), &mut work).unwrap();
        assert!(incoming.stopped(1, FileOutcome::Cancelled).is_none());
        let Work::Placed(1, place) = work.join_next().await.unwrap().unwrap() else { panic!("not placed") };
        let events = incoming.placed(1, place);
        assert!(
            matches!(&events[..], [Event::FileEnded { outcome: FileOutcome::Done, path: Some(_), .. }]),
            "{events:?}"
        );
    }

    #[tokio::test]
    async fn an_offer_of_another_size_does_not_touch_what_there_is() {
        let folder = tempfile::tempdir().unwrap();
        let (mut incoming, mut work) = accepted(folder.path()).await;
        incoming.started(DirectFileStart { number: 1, offset: 0 }, &mut work).unwrap();
        incoming.chunk(&chunk(&CONTENT[..9]), &mut work).unwrap();
        drop(incoming);
        let mut later = Incoming::new(folder.path().to_owned(), true);
        later.offered(DirectFileOffer { size: 3, ..offer() }, &mut work).unwrap();
        assert!(matches!(work.join_next().await.unwrap().unwrap(), Work::Prepared(1, Ok(_))));
        let (_again, _work) = accepted(folder.path()).await;
        let lengths = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
        assert_eq!(lengths.max(), Some(9));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_under_the_name_of_a_part_is_not_followed_and_others_cannot_read_a_part() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (elsewhere, part) = (folder.path().join("elsewhere"), folder.path().join("film.part"));
        std::os::unix::fs::symlink(&elsewhere, &part).unwrap();
        Part::open(part.clone(), 10).unwrap_err();
        assert!(!elsewhere.exists());
        std::fs::write(&elsewhere, "precious").unwrap();
        Part::open(part.clone(), 3).unwrap_err();
        assert_eq!(std::fs::read(&elsewhere).unwrap(), b"precious");
        std::fs::remove_file(&part).unwrap();
        let part = Part::open(part, 10).unwrap();
        assert_eq!(part.file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
