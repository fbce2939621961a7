//! A table: rows with things to do.

use super::layout::centred;
use super::paint::Painter;
use crate::state::State;
use crate::state::dialog::{Rows, Table};
use crate::text::columns;
use crate::theme::Part;
use crate::time;
use subrosa_client::api::InviteKind;
use subrosa_types::text::single_line;

/// Widest column, unless it is the last one.
const WIDEST: usize = 34;

/// Its title, its hint, and what to say when there is nothing.
const fn words(rows: &Rows) -> (&'static str, &'static str, &'static str) {
    match rows {
        Rows::Invites(_) => ("Invitations", "Enter: accept · D: decline · Esc: close", "No open invitations."),
        Rows::Devices(_) => ("Your devices", "X: end this device · Esc: close", "No devices."),
        Rows::Roles(_) => (
            "People and roles",
            "Enter: write · R: change role · V: verify · L: log · Esc: close",
            "Nobody is known yet.",
        ),
        Rows::RoleLog(_) => ("Changes of roles", "Esc: close", "Nothing has changed."),
        Rows::InviteLinks(_) => {
            ("Invitations to sign up", "N: new · C: copy · X: revoke · Esc: close", "There are none; N makes one.")
        }
        Rows::ChangedKeys(_) => {
            ("Changed keys", "V: verify · A: accept · Esc: close", "No key waits for you: all is as it was.")
        }
        Rows::Members(..) => {
            ("Members", "Enter: write · V: verify · A: add · X: remove · Esc: close", "Nobody is known yet.")
        }
        Rows::Settings(_) => ("Settings", "Enter: change · Esc: close", ""),
        Rows::Welcome(_) => ("Subrosa", "↑↓ and Enter · Ctrl+Q: leave", ""),
    }
}

/// The cells of each row.
pub fn cells(state: &State, rows: &Rows) -> Vec<Vec<String>> {
    let verified = |yes: bool| if yes { "verified" } else { "" }.to_owned();
    match rows {
        Rows::Invites(rows) => rows
            .iter()
            .map(|row| {
                let what = match row.kind {
                    InviteKind::Group => format!("@{} invites you to {}", row.from, row.chat),
                    InviteKind::Request => format!("@{} wants to chat with you", row.from),
                    InviteKind::Role => format!("@{} offers you the super admin role", row.from),
                };
                vec![what]
            })
            .collect(),
        Rows::Devices(rows) => rows
            .iter()
            .map(|row| {
                let this = if row.this { "this device" } else { "" };
                vec![row.name.clone(), time::full(row.enrolled_at, &state.zone), this.to_owned(), row.id.to_string()]
            })
            .collect(),
        Rows::Roles(rows) => {
            let me = |name: &str| if state.my_name() == Some(name) { "you" } else { "" }.to_owned();
            rows.iter().map(|row| vec![format!("@{}", row.name), row.role.to_string(), me(&row.name)]).collect()
        }
        Rows::RoleLog(rows) => rows
            .iter()
            .map(|row| {
                let by = if row.by.is_empty() { String::new() } else { format!("by @{}", row.by) };
                let at = time::full(row.at, &state.zone);
                vec![at, format!("@{}", row.name), row.what.replace('_', " "), row.role.to_string(), by]
            })
            .collect(),
        Rows::InviteLinks(rows) => rows
            .iter()
            .map(|row| {
                let until = row.expires_at.map(|at| format!("until {}", time::full(at, &state.zone)));
                vec![row.code.clone(), format!("{} left", row.uses_left), until.unwrap_or_default()]
            })
            .collect(),
        Rows::ChangedKeys(rows) => rows
            .iter()
            .map(|row| {
                let alarm = if row.was_verified { "THE OLD KEY HAD BEEN COMPARED" } else { "" };
                vec![format!("@{}", row.name), alarm.to_owned()]
            })
            .collect(),
        Rows::Members(_, rows) => rows
            .iter()
            .map(|row| {
                let devices = if row.devices == 1 { "1 device".into() } else { format!("{} devices", row.devices) };
                vec![format!("@{}", row.name), row.role.to_string(), devices, verified(row.verified)]
            })
            .collect(),
        Rows::Settings(rows) => rows.iter().map(|row| row.to_vec()).collect(),
        Rows::Welcome(rows) => rows.iter().map(|(_, what, why)| vec![(*what).to_owned(), (*why).to_owned()]).collect(),
    }
}

/// Paints it.
pub fn paint(painter: &mut Painter<'_>, state: &State, table: &Table) {
    let (title, hint, nothing) = words(&table.rows);
    let cells: Vec<Vec<String>> = cells(state, &table.rows)
        .into_iter()
        .map(|row| row.iter().map(|cell| single_line(cell).into_owned()).collect())
        .collect();
    let widths = widths(&cells);
    let wide = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
    let wide = wide.max(columns(hint) + 2).max(columns(nothing)).max(30) + 4;
    let error = table.error.as_deref().unwrap_or_default();
    let height = cells.len().max(1) + 2 + if error.is_empty() { 0 } else { 2 };
    let width = u16::try_from(wide).unwrap_or(u16::MAX);
    let height = u16::try_from(height).unwrap_or(u16::MAX).min(state.size.1.saturating_sub(2).max(3));
    let area = centred(state, width, height);
    let inside = painter.frame(area, title, if table.loading { "one moment…" } else { hint });
    let room = usize::from(inside.height).saturating_sub(if error.is_empty() { 0 } else { 2 }).max(1);
    let first = (table.selected + 1).saturating_sub(room);
    for (y, (index, row)) in (inside.y..inside.bottom()).zip(cells.iter().enumerate().skip(first).take(room)) {
        let selected = index == table.selected;
        if selected {
            painter.fill(ratatui_core::layout::Rect::new(inside.x, y, inside.width, 1), Part::Selected);
        }
        let mut x = inside.x;
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let part = match (selected, column) {
                (true, _) => Part::Selected,
                (false, 0) => Part::Text,
                (false, _) => Part::Dim,
            };
            let width = u16::try_from(*width).unwrap_or(inside.width);
            let room = inside.right().saturating_sub(x).min(width);
            painter.text(x, y, room, &crate::text::shortened(cell, usize::from(room)), part);
            x = x.saturating_add(width + 2);
        }
    }
    if cells.is_empty() && !table.loading {
        painter.text(inside.x, inside.y, inside.width, nothing, Part::Dim);
    }
    if !error.is_empty() && inside.height > 0 {
        painter.text(inside.x, inside.bottom() - 1, inside.width, error, Part::Wrong);
    }
}

fn widths(cells: &[Vec<String>]) -> Vec<usize> {
    let count = cells.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let widest = cells.iter().filter_map(|row| row.get(column)).map(|cell| columns(cell)).max().unwrap_or(0);
        if column + 1 < count { widest.min(WIDEST) } else { widest }
    };
    (0..count).map(width).collect()
}
