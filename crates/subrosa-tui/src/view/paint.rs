//! The one place where text gets onto the screen.
//!
//! Invariant: whatever is painted passed `subrosa_types::text` on the way, and stays within the columns it was given. So no
//! name, title or text of anybody can command the terminal or leave its place.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;
use subrosa_types::text::single_line;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::text::columns;
use crate::theme::{Part, Theme};

/// Cells that open an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSpan {
    /// First column.
    pub x: u16,
    /// Row.
    pub y: u16,
    /// How many columns.
    pub columns: u16,
    /// The address: printable ASCII.
    pub address: String,
}

/// A frame: cells, addresses, and the cursor.
#[derive(Debug)]
pub struct Painter<'a> {
    buffer: &'a mut Buffer,
    theme: Theme,
    /// Addresses in it.
    pub links: Vec<LinkSpan>,
    /// Where the cursor is, if it is shown.
    pub cursor: Option<(u16, u16)>,
}

impl<'a> Painter<'a> {
    /// Paints on this, which is empty.
    pub fn new(buffer: &'a mut Buffer, theme: Theme) -> Self {
        let area = buffer.area;
        buffer.set_style(area, theme.style(Part::Text));
        Self { buffer, theme, links: Vec::new(), cursor: None }
    }

    /// How a part looks.
    pub fn style(&self, part: Part) -> Style {
        self.theme.style(part)
    }

    /// Writes a line in at most `room` columns; gives how many it took.
    pub fn text(&mut self, x: u16, y: u16, room: u16, text: &str, part: Part) -> u16 {
        self.styled(x, y, room, text, self.style(part))
    }

    /// The same in any style.
    pub fn styled(&mut self, x: u16, y: u16, room: u16, text: &str, style: Style) -> u16 {
        let area = self.buffer.area;
        if y >= area.bottom() || x >= area.right() {
            return 0;
        }
        let end = x.saturating_add(room).min(area.right());
        let text = single_line(text);
        let mut at = x;
        for part in text.graphemes(true) {
            let Ok(wide) = u16::try_from(part.width()) else { break };
            if wide == 0 {
                continue;
            }
            if at + wide > end {
                break;
            }
            if let Some(cell) = self.buffer.cell_mut((at, y)) {
                cell.set_symbol(part).set_style(style);
            }
            for behind in at + 1..at + wide {
                if let Some(cell) = self.buffer.cell_mut((behind, y)) {
                    cell.reset();
                    cell.set_style(style);
                }
            }
            at += wide;
        }
        at - x
    }

    /// Writes so that the end is at the end of the room; gives how many columns it took.
    pub fn right(&mut self, x: u16, y: u16, room: u16, text: &str, part: Part) -> u16 {
        let wide = u16::try_from(columns(&single_line(text))).unwrap_or(u16::MAX).min(room);
        self.text(x + room - wide, y, wide, text, part)
    }

    /// Gives an area a look.
    pub fn fill(&mut self, area: Rect, part: Part) {
        let style = self.style(part);
        self.buffer.set_style(area.intersection(self.buffer.area), style);
    }

    /// Takes everything out of an area.
    pub fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        let style = self.style(Part::Text);
        for y in area.top()..area.bottom() {
            for x in area.left()..area.right() {
                if let Some(cell) = self.buffer.cell_mut((x, y)) {
                    cell.reset();
                    cell.set_style(style);
                }
            }
        }
        self.links.retain(|link| !(area.top()..area.bottom()).contains(&link.y));
    }

    /// A line across.
    pub fn across(&mut self, x: u16, y: u16, length: u16, part: Part) {
        let line = "─".repeat(usize::from(length));
        self.text(x, y, length, &line, part);
    }

    /// A line down.
    pub fn down(&mut self, x: u16, y: u16, length: u16) {
        for row in y..y.saturating_add(length) {
            self.text(x, row, 1, "│", Part::Border);
        }
    }

    /// A box with a title on its upper edge and a hint on its lower one; gives what is inside.
    pub fn frame(&mut self, area: Rect, title: &str, hint: &str) -> Rect {
        let area = area.intersection(self.buffer.area);
        self.clear(area);
        if area.width < 4 || area.height < 2 {
            return Rect::default();
        }
        let line = "─".repeat(usize::from(area.width - 2));
        let bottom = area.bottom() - 1;
        self.text(area.x, area.y, area.width, &format!("╭{line}╮"), Part::Border);
        self.text(area.x, bottom, area.width, &format!("╰{line}╯"), Part::Border);
        for y in area.y + 1..bottom {
            self.text(area.x, y, 1, "│", Part::Border);
            self.text(area.right() - 1, y, 1, "│", Part::Border);
        }
        let room = area.width - 4;
        if !title.is_empty() {
            self.text(
                area.x + 2,
                area.y,
                room,
                &format!(" {} ", crate::text::shortened(title, usize::from(room) - 2)),
                Part::Accent,
            );
        }
        if !hint.is_empty() {
            self.text(area.x + 2, bottom, room, &format!(" {hint} "), Part::Dim);
        }
        Rect::new(area.x + 2, area.y + 1, area.width - 4, area.height - 2)
    }
}
