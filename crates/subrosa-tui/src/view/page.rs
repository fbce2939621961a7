//! Something to read, and questions.

use super::layout::centred;
use super::paint::Painter;
use crate::state::State;
use crate::state::dialog::{Page, PageLine, Question};
use crate::text::columns;
use crate::text::wrap::wrap;
use crate::theme::Part;

/// Columns of a page of text.
const WIDTH: usize = 76;

/// Its lines in this width.
fn lay(page: &Page, width: usize) -> Vec<PageLine> {
    let mut lines = Vec::new();
    for line in &page.lines {
        match line {
            PageLine::Text(text) => {
                let text = subrosa_types::text::for_terminal(text);
                lines.extend(wrap(&text, width).into_iter().map(|range| PageLine::Text(text[range].to_owned())));
            }
            PageLine::Strong(text) => {
                let text = subrosa_types::text::for_terminal(text);
                lines.extend(wrap(&text, width).into_iter().map(|range| PageLine::Strong(text[range].to_owned())));
            }
            PageLine::Code(_) => lines.push(line.clone()),
        }
    }
    lines
}

/// How far a page can be scrolled.
pub fn furthest(state: &State, page: &Page) -> usize {
    let (width, rows) = room(state);
    lay(page, width).len().saturating_sub(rows)
}

fn room(state: &State) -> (usize, usize) {
    let (width, height) = state.size;
    (WIDTH.min(usize::from(width).saturating_sub(4)).max(10), usize::from(height.saturating_sub(2)).max(1))
}

/// Paints a page.
pub fn paint(painter: &mut Painter<'_>, state: &State, page: &Page) {
    let (width, rows) = room(state);
    let lines = lay(page, width);
    let widest = lines.iter().map(|line| columns(text_of(line))).max().unwrap_or(0);
    let hint: String = page
        .keys
        .iter()
        .map(|(key, word, _)| format!("{}: {word} · ", key.to_ascii_uppercase()))
        .chain([(if lines.len() > rows { "↑↓ · " } else { "" }).to_owned(), "Esc: close".to_owned()])
        .collect();
    let wide = widest.max(columns(&hint) + 2).max(columns(&page.title) + 2).min(width) + 4;
    let height = lines.len().min(rows) + 2;
    let area = centred(state, u16::try_from(wide).unwrap_or(u16::MAX), u16::try_from(height).unwrap_or(u16::MAX));
    let inside = painter.frame(area, &page.title, &hint);
    let first = page.scroll.min(lines.len().saturating_sub(rows));
    for (y, line) in (inside.y..inside.bottom()).zip(lines.iter().skip(first)) {
        let part = match line {
            PageLine::Text(_) => Part::Text,
            PageLine::Strong(_) => Part::Accent,
            PageLine::Code(_) => Part::Code,
        };
        let indent = if matches!(line, PageLine::Code(_)) {
            inside.width.saturating_sub(u16::try_from(columns(text_of(line))).unwrap_or(0)) / 2
        } else {
            0
        };
        painter.text(inside.x + indent, y, inside.width.saturating_sub(indent), text_of(line), part);
    }
}

fn text_of(line: &PageLine) -> &str {
    match line {
        PageLine::Text(text) | PageLine::Strong(text) | PageLine::Code(text) => text,
    }
}

/// Paints a question.
pub fn paint_question(painter: &mut Painter<'_>, state: &State, question: &Question) {
    let width = 64.min(usize::from(state.size.0).saturating_sub(4)).max(10);
    let text = subrosa_types::text::for_terminal(&question.text);
    let lines = wrap(&text, width);
    let most = usize::from(state.size.1.saturating_sub(4)).max(1);
    let height = u16::try_from(lines.len().min(most) + 2).unwrap_or(u16::MAX);
    let area = centred(state, u16::try_from(width + 4).unwrap_or(u16::MAX), height);
    let other = question.other.as_ref().map(|(key, word, _)| format!("{}: {word} · ", key.to_ascii_uppercase()));
    let hint = format!("Y: {} · {}N or Esc: no", question.word, other.unwrap_or_default());
    let inside = painter.frame(area, &question.title, &hint);
    for (y, line) in (inside.y..inside.bottom()).zip(lines) {
        painter.text(inside.x, y, inside.width, &text[line], Part::Text);
    }
}
