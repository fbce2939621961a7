//! A form: labels, fields, and what was wrong.

use super::layout::centred;
use super::paint::Painter;
use crate::state::State;
use crate::state::dialog::{Field, Form, Value};
use crate::text::wrap::wrap;
use crate::theme::Part;

/// Columns of a form.
const WIDTH: u16 = 66;
/// Columns of its labels.
const LABELS: u16 = 18;

/// Paints it.
pub fn paint(painter: &mut Painter<'_>, state: &State, form: &Form) {
    let inner = usize::from(WIDTH.min(state.size.0).saturating_sub(4)).max(10);
    let text: Vec<&str> = if form.text.is_empty() {
        Vec::new()
    } else {
        wrap(form.text, inner).into_iter().map(|line| &form.text[line]).collect()
    };
    let error = form.error.as_deref().unwrap_or_default();
    let wrong: Vec<&str> =
        if error.is_empty() { Vec::new() } else { wrap(error, inner).into_iter().map(|line| &error[line]).collect() };
    let gap = |lines: usize| usize::from(lines > 0);
    let height = 2 + text.len() + gap(text.len()) + form.fields.len() + gap(wrong.len()) + wrong.len() + 1;
    let area = centred(state, WIDTH, u16::try_from(height).unwrap_or(u16::MAX));
    let hint = if form.busy { "working…" } else { "Enter: next, done · Tab: next · Esc: close" };
    let inside = painter.frame(area, &form.title, hint);
    let mut y = inside.y;
    for line in &text {
        painter.text(inside.x, y, inside.width, line, Part::Dim);
        y += 1;
    }
    y += u16::from(!text.is_empty());
    for (index, field) in form.fields.iter().enumerate() {
        let rows = inside.bottom().saturating_sub(y);
        if rows == 0 {
            break;
        }
        paint_field(painter, field, (inside.x, y, inside.width), index == form.focus && !form.busy);
        y += 1;
    }
    y += u16::from(!wrong.is_empty());
    for line in wrong {
        if y < inside.bottom() {
            painter.text(inside.x, y, inside.width, line, Part::Wrong);
        }
        y += 1;
    }
}

fn paint_field(painter: &mut Painter<'_>, field: &Field, (x, y, width): (u16, u16, u16), focus: bool) {
    let labels = LABELS.min(width / 3);
    painter.text(x, y, labels, field.label, if focus { Part::Accent } else { Part::Text });
    let (x, room) = (x + labels, width.saturating_sub(labels));
    match &field.value {
        Value::Choice(words, at) => {
            let word = words.get(*at).copied().unwrap_or_default();
            let shown = if focus { format!("‹ {word} ›") } else { format!("  {word}") };
            painter.text(x, y, room, &shown, if focus { Part::Selected } else { Part::Text });
        }
        Value::Text(editor) => {
            if editor.is_empty() {
                painter.text(x + 2, y, room.saturating_sub(2), field.hint, Part::Dim);
            }
            let laid = editor.lay(usize::from(room.saturating_sub(2)));
            let line = laid.lines.get(laid.line).map_or("", String::as_str);
            painter.text(x + 2, y, room.saturating_sub(2), line, Part::Text);
            if focus {
                painter.text(x, y, 1, "›", Part::Accent);
                painter.cursor = Some((x + 2 + u16::try_from(laid.column).unwrap_or(0), y));
            }
        }
        Value::Secret(editor) => {
            let count = editor.text().chars().count().min(usize::from(room.saturating_sub(3)));
            painter.text(x + 2, y, room.saturating_sub(2), &"•".repeat(count), Part::Text);
            if editor.is_empty() {
                painter.text(x + 2, y, room.saturating_sub(2), field.hint, Part::Dim);
            }
            if focus {
                painter.text(x, y, 1, "›", Part::Accent);
                painter.cursor = Some((x + 2 + u16::try_from(count).unwrap_or(0), y));
            }
        }
    }
}
