//! The list on the right: who is in the group.

use ratatui_core::layout::Rect;
use subrosa_types::Role;

use super::paint::Painter;
use crate::state::State;
use crate::state::entry::Entry;
use crate::theme::{Part, name_number};

/// Paints the list.
pub fn paint(painter: &mut Painter<'_>, state: &State, entry: &Entry, area: Rect) {
    painter.down(area.x, area.y, area.height);
    let room = area.width.saturating_sub(3);
    let rows = usize::from(area.height);
    for (y, member) in (area.y..area.bottom()).zip(&entry.members) {
        let hidden = entry.members.len().saturating_sub(rows);
        if y + 1 == area.bottom() && hidden > 0 {
            painter.text(area.x + 2, y, room, &format!("and {} more", hidden + 1), Part::Dim);
            return;
        }
        let sign = match member.role {
            Role::SuperAdmin => "★",
            Role::Admin => "☆",
            Role::Advanced | Role::Beginner => "",
        };
        let is_me = state.my_name() == Some(member.name.as_str());
        let verified = if member.verified && !is_me { "✓" } else { "" };
        let used =
            painter.text(area.x + 2, y, room.saturating_sub(3), &member.name, Part::Name(name_number(&member.name)));
        painter.text(area.x + 3 + used, y, 1, verified, Part::Good);
        painter.right(area.x + 2, y, room, sign, Part::Careful);
    }
}
