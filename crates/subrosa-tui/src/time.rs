//! Times as people read them: ISO 8601, in the reader's zone.

use jiff::Zoned;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use subrosa_types::Timestamp;

fn zoned(at: Timestamp, zone: &TimeZone) -> Option<Zoned> {
    // Others choose these numbers.
    jiff::Timestamp::from_millisecond(at.0).ok().map(|instant| instant.to_zoned(zone.clone()))
}

/// `10:22`.
pub fn clock(at: Timestamp, zone: &TimeZone) -> String {
    zoned(at, zone).map_or_else(|| "??:??".to_owned(), |zoned| zoned.strftime("%H:%M").to_string())
}

/// `2026-11-21 10:22`.
pub fn full(at: Timestamp, zone: &TimeZone) -> String {
    zoned(at, zone).map_or_else(|| "????-??-?? ??:??".to_owned(), |zoned| zoned.strftime("%Y-%m-%d %H:%M").to_string())
}

/// The day.
pub fn day(at: Timestamp, zone: &TimeZone) -> Option<Date> {
    zoned(at, zone).map(|zoned| zoned.date())
}

/// `Today`, `Yesterday`, or `Saturday, 2026-11-21`.
pub fn day_in_words(day: Date, today: Option<Date>) -> String {
    if today == Some(day) {
        return "Today".to_owned();
    }
    if today.and_then(|today| today.yesterday().ok()) == Some(day) {
        return "Yesterday".to_owned();
    }
    day.strftime("%A, %Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp(1_795_252_951_120);

    #[test]
    fn times_are_in_the_readers_zone_and_no_number_is_a_panic() {
        assert_eq!(clock(AT, &TimeZone::UTC), "09:22");
        assert_eq!(full(AT, &TimeZone::UTC), "2026-11-21 09:22");
        assert_eq!(clock(Timestamp(i64::MAX), &TimeZone::UTC), "??:??");
        let day_of = |millis| day(AT.plus_millis(millis), &TimeZone::UTC);
        assert_eq!(day_in_words(day_of(0).unwrap(), day_of(0)), "Today");
        assert_eq!(day_in_words(day_of(-86_400_000).unwrap(), day_of(0)), "Yesterday");
        assert_eq!(day_in_words(day_of(0).unwrap(), day_of(10 * 86_400_000)), "Saturday, 2026-11-21");
    }
}
