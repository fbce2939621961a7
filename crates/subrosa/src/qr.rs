//! A QR code (ISO/IEC 18004) in a terminal: two rows of modules in a line of half blocks, with the quiet zone of four
//! modules that scanners want.
//!
//! Scanners want dark modules on light ground, whatever the terminal's colours are. So black and white are taken from the
//! fixed part of the 256 colours, which themes leave alone, and reset at the end of each line. Without colours (`NO_COLOR`,
//! a dumb terminal, a pipe) the light modules are drawn, as on a dark terminal; most scanners read the opposite, too.

use std::io::{IsTerminal, stdout};

use qrcode::{Color, EcLevel, QrCode};
use subrosa_client::api::{Failure, FailureCode};

use crate::output::Outcome;

/// Light modules around the code.
const QUIET: usize = 4;
/// Black ink on white ground, and back to what it was.
const INK: &str = "\x1b[38;5;16;48;5;231m";
const RESET: &str = "\x1b[0m";

/// A code that can be drawn.
#[derive(Debug)]
pub struct Code {
    modules: Vec<Color>,
    width: usize,
}

/// Columns and rows.
pub type Room = (usize, usize);

impl Code {
    /// The code of a text in which large and small letters mean the same: in large ones, a code is smaller.
    ///
    /// # Errors
    /// The text is too long for any code.
    pub fn of(text: &str) -> Outcome<Self> {
        let code = QrCode::with_error_correction_level(text.to_ascii_uppercase(), EcLevel::M).map_err(|error| {
            Failure::new(FailureCode::Unexpected, "qr", format!("there is no QR code of this: {error}"))
        })?;
        Ok(Self { width: code.width(), modules: code.to_colors() })
    }

    /// Whether all of it is seen at once, with a line below it for the prompt.
    pub const fn fits(&self, (columns, rows): Room) -> bool {
        let side = self.width + 2 * QUIET;
        side <= columns && side.div_ceil(2) < rows
    }

    /// Its lines.
    pub fn lines(&self, coloured: bool) -> Vec<String> {
        let side = self.width + 2 * QUIET;
        let line = |top: usize| {
            let cells = (0..side).map(|x| {
                let inked = |y: usize| self.is_dark(x, y) == coloured;
                match (inked(top), inked(top + 1)) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                }
            });
            let cells: String = cells.collect();
            if coloured { format!("{INK}{cells}{RESET}") } else { cells }
        };
        (0..side).step_by(2).map(line).collect()
    }

    /// A module of the code and its quiet zone, whose sides are light without end.
    fn is_dark(&self, x: usize, y: usize) -> bool {
        let within = QUIET..QUIET + self.width;
        within.contains(&x)
            && within.contains(&y)
            && self.modules.get((y - QUIET) * self.width + x - QUIET) == Some(&Color::Dark)
    }
}

/// The size of the terminal that shows our output; `None` if none does, or none that can draw.
pub fn room() -> Option<Room> {
    let (columns, rows) = crossterm::terminal::size().ok().filter(|_| stdout().is_terminal() && !is_dumb())?;
    Some((columns.into(), rows.into()))
}

/// Whether colours are wanted and possible.
pub fn is_coloured() -> bool {
    stdout().is_terminal() && !is_dumb() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|name| name == "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a scanner reads in the drawn lines.
    fn scanned(lines: &[String], coloured: bool) -> String {
        let cells: Vec<Vec<char>> =
            lines.iter().map(|line| line.trim_start_matches(INK).trim_end_matches(RESET).chars().collect()).collect();
        let inked = |x: usize, y: usize| {
            let cell = cells[y / 2][x];
            cell == '█' || cell == if y.is_multiple_of(2) { '▀' } else { '▄' }
        };
        // Each module is four pixels wide, as on a screen.
        let side = 4 * cells[0].len();
        let pixel = |x: usize, y: usize| if inked(x / 4, y / 4) == coloured { 0 } else { 255 };
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(side, side, pixel);
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1);
        grids[0].decode().unwrap().1
    }

    fn uri() -> String {
        format!("subrosa-verify:1/{}", "abcdefghijklmnopqrstuvwxyz234567".repeat(4).split_at(103).0)
    }

    #[test]
    fn a_scanner_reads_what_is_drawn() {
        let code = Code::of(&uri()).unwrap();
        for coloured in [true, false] {
            assert_eq!(scanned(&code.lines(coloured), coloured).to_lowercase(), uri());
        }
    }

    #[test]
    fn the_code_of_a_safety_number_fits_a_terminal_of_80_columns_and_24_rows() {
        let code = Code::of(&uri()).unwrap();
        assert!(code.fits((80, 24)));
        assert!(!code.fits((40, 24)) && !code.fits((80, 23)));
    }

    #[test]
    fn colours_end_with_each_line_and_there_are_none_unless_wanted() {
        let code = Code::of("x").unwrap();
        assert!(code.lines(true).iter().all(|line| line.starts_with(INK) && line.ends_with(RESET)));
        assert!(code.lines(false).iter().all(|line| line.chars().all(|c| " █▀▄".contains(c))));
    }
}
