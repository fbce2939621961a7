//! Taking the terminal and giving it back as it was: at the end, when something fails, and when the program panics.

use std::io::{self, IsTerminal, Write, stdin, stdout};
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste, EnableFocusChange,
    EnableMouseCapture, KeyboardEnhancementFlags, PopKeyboardEnhancementFlags, PushKeyboardEnhancementFlags,
};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, queue};

/// Whether the terminal is ours at the moment.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// Whether some thread panicked.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// Keeps the title that was there, and brings it back.
const PUSH_TITLE: &[u8] = b"\x1b[22;2t";
const POP_TITLE: &[u8] = b"\x1b[23;2t";

/// The terminal, as long as this is there.
#[derive(Debug)]
pub struct Terminal(());

/// Whether a full screen can be shown here.
pub fn is_possible() -> bool {
    stdin().is_terminal() && stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|name| name != "dumb")
}

impl Terminal {
    /// Takes it.
    ///
    /// # Errors
    /// It is no terminal, or is gone.
    pub fn take() -> io::Result<Self> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICKED.store(true, Ordering::SeqCst);
            give_back();
            before(panic);
        }));
        enter(true)?;
        Ok(Self(()))
    }

    /// Gives it back for a while.
    pub fn pause(&self) {
        give_back();
    }

    /// Takes it again.
    ///
    /// # Errors
    /// It is gone.
    pub fn resume(&self, mouse: bool) -> io::Result<()> {
        enter(mouse)
    }

    /// Whether the mouse is listened to.
    ///
    /// # Errors
    /// It is gone.
    pub fn mouse(&self, wanted: bool) -> io::Result<()> {
        let mut out = stdout();
        if wanted {
            queue!(out, EnableMouseCapture)?
        } else {
            queue!(out, DisableMouseCapture)?
        }
        out.flush()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back();
    }
}

/// Whether some thread panicked: then the screen is not ours any more.
pub fn has_panicked() -> bool {
    PANICKED.load(Ordering::SeqCst)
}

fn enter(mouse: bool) -> io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    let mut out = stdout();
    out.write_all(PUSH_TITLE)?;
    // A terminal that does not know one of these does without.
    queue!(
        out,
        EnterAlternateScreen,
        EnableBracketedPaste,
        EnableFocusChange,
        PushKeyboardEnhancementFlags(KeyboardEnhancementFlags::DISAMBIGUATE_ESCAPE_CODES),
    )?;
    if mouse {
        queue!(out, EnableMouseCapture)?;
    }
    out.flush()
}

/// May be called any number of times, from any thread. A terminal that is gone needs nothing back.
fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = stdout();
    let _gone = queue!(
        out,
        PopKeyboardEnhancementFlags,
        DisableMouseCapture,
        DisableFocusChange,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        cursor::Show,
    );
    let _gone = out.write_all(POP_TITLE).and_then(|()| out.flush());
    let _gone = disable_raw_mode();
}
