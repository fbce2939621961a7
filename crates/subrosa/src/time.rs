//! Times: ISO 8601 in the reader's zone for people, RFC 3339 in UTC for scripts.

use jiff::tz::TimeZone;
use subrosa_types::Timestamp;

/// `2026-11-21 10:22`, in the reader's zone.
pub fn local(at: Timestamp) -> String {
    in_zone(at, TimeZone::system())
}

fn in_zone(at: Timestamp, zone: TimeZone) -> String {
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(instant) => instant.to_zoned(zone).strftime("%Y-%m-%d %H:%M").to_string(),
        // Others choose these numbers.
        Err(_) => "????-??-?? ??:??".to_owned(),
    }
}

/// `2026-11-21T09:22:31.120Z`; `None` for a number that is no time.
pub fn utc(at: Timestamp) -> Option<String> {
    jiff::Timestamp::from_millisecond(at.0).ok().map(|instant| format!("{instant:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp(1_795_252_951_120);

    #[test]
    fn people_see_their_own_zone_and_scripts_see_utc() {
        let tehran = TimeZone::fixed(jiff::tz::offset(3).saturating_add(jiff::SignedDuration::from_mins(30)));
        assert_eq!(in_zone(AT, tehran), "2026-11-21 12:52");
        assert_eq!(utc(AT).unwrap(), "2026-11-21T09:22:31.120Z");
    }

    #[test]
    fn an_impossible_time_from_somebody_is_no_panic() {
        for at in [Timestamp(i64::MAX), Timestamp(i64::MIN)] {
            assert_eq!(local(at), "????-??-?? ??:??");
            assert_eq!(utc(at), None);
        }
    }
}
